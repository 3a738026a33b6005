/** Asks ClamAV's daemon about a stream of bytes, in the INSTREAM command of its protocol. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { AkashiError } from '../../foundation/index.ts'

export type Verdict = { readonly clean: true } | { readonly clean: false; readonly threat: string }

export interface Scanner {
  /** `unavailable` when no verdict could be had: whatever was scanned stays in quarantine. */
  scan(bytes: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<Verdict>
}

/** Milliseconds without a word from the daemon; it says nothing while it scans. */
const SILENCE_MS = 120_000
/** Bytes of its answer; one line. */
const MAX_ANSWER_BYTES = 4_096
/** Its limit of one chunk is its StreamMaxLength; pieces of a stream are far smaller. */
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

/** Milliseconds for a daemon that does nothing else to say that it is there. */
const PING_MS = 5_000

/** `unavailable` when no daemon of ClamAV answers at the address. */
export async function pingScanner(address: URL): Promise<void> {
  const socket = dial(address)
  socket.setTimeout(PING_MS, () => socket.destroy(new Error('the daemon is silent')))
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
  return new AkashiError('unavailable', 'the virus scanner gave no answer', {
    hint: 'check that clamd runs and that CLAMD_URL names it',
    cause,
  })
}

function dial({ hostname, port, pathname }: URL): Socket {
  return hostname === '' ? connect(decodeURIComponent(pathname)) : connect(Number(port), hostname)
}

async function converse(socket: Socket, bytes: AsyncIterable<Uint8Array>): Promise<Verdict> {
  socket.setTimeout(SILENCE_MS, () => socket.destroy(new Error('the daemon is silent')))
  const answer = readAnswer(socket)
  // It is awaited below; until then a failure of sending is the one that is told.
  answer.catch(() => undefined)
  await once(socket, 'connect')
  await write(socket, Buffer.from('zINSTREAM\0'))
  for await (const piece of bytes) {
    const length = Buffer.alloc(LENGTH_BYTES)
    length.writeUInt32BE(piece.byteLength)
    await write(socket, length)
    await write(socket, piece)
    // The daemon answers early when a limit of its own is passed.
    if (socket.readableEnded) break
  }
  await write(socket, Buffer.alloc(LENGTH_BYTES))
  return verdictOf(await answer)
}

async function write(socket: Socket, bytes: Uint8Array): Promise<void> {
  if (!socket.write(bytes)) await once(socket, 'drain')
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
  // Neither clean nor infected, such as a stream over its size limit: no verdict.
  throw new Error(`the daemon said: ${answer.slice(0, 200)}`)
}
