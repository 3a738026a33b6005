/** Scans streams with ClamAV's daemon, by the INSTREAM command of its protocol. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { AkashiError } from '../../foundation/index.ts'

export type Verdict =
  | { readonly clean: true }
  | { readonly clean: false; readonly threat: string }
  /** The daemon refuses files of this size (StreamMaxLength), and always will. */
  | { readonly clean: false; readonly tooLarge: true }

export interface Scanner {
  /** @throws unavailable without a verdict; the file then stays in quarantine */
  scan(bytes: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<Verdict>
}

/** Milliseconds to wait for the daemon, which sends nothing while it scans. */
const SILENCE_MS = 120_000
/** Maximum bytes of its response, which is one line. */
const MAX_ANSWER_BYTES = 4_096
/** Bytes of the length before each chunk. */
const LENGTH_BYTES = 4

/** `address`: `clamd:/path/to/socket`, or `clamd://host:port`. */
export function openScanner(address: URL): Scanner {
  return {
    async scan(bytes, signal) {
      const socket = dial(address)
      const stop = () => void socket.destroy(new Error('cancelled'))
      signal?.addEventListener('abort', stop, { once: true })
      try {
        return await converse(socket, bytes)
      } catch (error) {
        throw unavailable(error)
      } finally {
        signal?.removeEventListener('abort', stop)
        socket.destroy()
      }
    },
  }
}

/** Milliseconds to wait for the response to a ping. */
const PING_MS = 5_000

/** @throws unavailable when no ClamAV daemon responds at the address */
export async function pingScanner(address: URL): Promise<void> {
  const socket = dial(address)
  socket.setTimeout(PING_MS, () => socket.destroy(new Error('the daemon does not respond')))
  try {
    const answer = readAnswer(socket)
    answer.catch(() => undefined)
    await once(socket, 'connect')
    await write(socket, Buffer.from('zPING\0'))
    const text = await answer
    if (text !== 'PONG') throw new Error(`the daemon said: ${text.slice(0, 200)}`)
  } catch (error) {
    throw unavailable(error)
  } finally {
    socket.destroy()
  }
}

function unavailable(cause: unknown): AkashiError {
  return new AkashiError('unavailable', 'the virus scanner does not respond', {
    hint: 'check that clamd is running and that CLAMD_URL is its address',
    cause,
  })
}

function dial({ hostname, port, pathname }: URL): Socket {
  return hostname === '' ? connect(decodeURIComponent(pathname)) : connect(Number(port), hostname)
}

async function converse(socket: Socket, bytes: AsyncIterable<Uint8Array>): Promise<Verdict> {
  socket.setTimeout(SILENCE_MS, () => socket.destroy(new Error('the daemon does not respond')))
  const answer = readAnswer(socket)
  // Awaited below; if sending fails before, that error is reported instead.
  answer.catch(() => undefined)
  await once(socket, 'connect')
  try {
    await send(socket, bytes)
  } catch (error) {
    // It closes the connection as soon as a limit is exceeded; what it said before counts.
    const said = await answer.catch(() => '')
    if (said === '') throw error
    return verdictOf(said)
  }
  return verdictOf(await answer)
}

async function send(socket: Socket, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  await write(socket, Buffer.from('zINSTREAM\0'))
  for await (const piece of bytes) {
    const length = Buffer.alloc(LENGTH_BYTES)
    length.writeUInt32BE(piece.byteLength)
    await write(socket, length)
    await write(socket, piece)
    // The daemon responds early when one of its limits is exceeded.
    if (socket.readableEnded) break
  }
  await write(socket, Buffer.alloc(LENGTH_BYTES))
}

async function write(socket: Socket, bytes: Uint8Array): Promise<void> {
  if (socket.destroyed) throw new Error('the daemon closed the connection')
  if (!socket.write(bytes)) await Promise.race([once(socket, 'drain'), closed(socket)])
}

async function closed(socket: Socket): Promise<never> {
  await once(socket, 'close')
  throw new Error('the daemon closed the connection')
}

async function readAnswer(socket: Socket): Promise<string> {
  let answer = Buffer.alloc(0)
  for await (const piece of socket) {
    answer = Buffer.concat([answer, piece])
    if (answer.includes(0) || answer.length > MAX_ANSWER_BYTES) break
  }
  return answer.toString('utf8').replace(/\0.*$/s, '').trim()
}

function verdictOf(answer: string): Verdict {
  if (answer === 'stream: OK') return { clean: true }
  const threat = /^stream: (.+) FOUND$/.exec(answer)?.[1]
  if (threat !== undefined) return { clean: false, threat }
  if (/size limit exceeded/i.test(answer)) return { clean: false, tooLarge: true }
  // Neither clean nor infected, such as an error of its own: no verdict.
  throw new Error(`the daemon said: ${answer.slice(0, 200)}`)
}
