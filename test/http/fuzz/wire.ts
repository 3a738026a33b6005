/** One HTTP/1.1 exchange on a connection of its own, in bytes that no client library would send. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** Milliseconds that a response may take; the server ends every handler long before. */
export const RESPONSE_TIMEOUT_MS = 60_000
/** Milliseconds between the two halves of a slow body. */
const PAUSE_MS = 20
/** Response bytes that are kept. */
const KEPT_BYTES = 2_000

export interface Wire {
  readonly method: string
  /** The request target as it is. */
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Buffer
  /**
   * How it arrives: at once, in two halves, cut off in the middle of the body, or twice on one connection without
   * waiting in between.
   */
  readonly arrival?: 'slow' | 'cut' | 'twice'
}

/** Its statuses, one for each response; none for a request that was cut off. */
export async function exchange(
  port: number,
  { method, target, headers, body, arrival }: Wire,
): Promise<{ readonly statuses: readonly number[]; readonly text: string }> {
  const head = (last: boolean) =>
    Buffer.from(
      `${method} ${target} HTTP/1.1\r\nhost: localhost\r\n${last ? 'connection: close\r\n' : ''}${Object.entries(
        headers,
      )
        .map(([name, value]) => `${name}: ${value}\r\n`)
        .join('')}${body === undefined ? '' : `content-length: ${body.length}\r\n`}\r\n`,
      'latin1',
    )
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  let text = ''
  let hung = false
  socket.setTimeout(RESPONSE_TIMEOUT_MS, () => {
    hung = true
    socket.destroy()
  })
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk
    // Enough of a download: its status is known.
    if (text.length > KEPT_BYTES && arrival !== 'twice') socket.destroy()
  })
  // A server may close before it has read everything that it refuses.
  socket.on('error', () => undefined)
  const closed = once(socket, 'close')
  const content = body ?? Buffer.alloc(0)
  const half = Math.floor(content.length / 2)
  switch (arrival) {
    case 'cut':
      socket.write(Buffer.concat([head(true), content.subarray(0, half)]))
      await sleep(PAUSE_MS)
      socket.destroy()
      break
    case 'slow':
      socket.write(Buffer.concat([head(true), content.subarray(0, half)]))
      await sleep(PAUSE_MS)
      socket.write(content.subarray(half))
      break
    case 'twice':
      socket.write(Buffer.concat([head(false), content, head(true), content]))
      break
    default:
      socket.write(Buffer.concat([head(true), content]))
  }
  await closed
  if (hung) throw new Error(`no response within ${RESPONSE_TIMEOUT_MS / 1_000} s`)
  const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status))
  return { statuses, text: text.slice(0, KEPT_BYTES) }
}
