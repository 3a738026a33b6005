import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import type { Readable } from 'node:stream'
import { constants, createGunzip } from 'node:zlib'
import { AkashiError, errno } from '../../foundation/index.ts'

const CHUNK_BYTES = 65_536
/** Bytes needed to detect the format of a log. */
const HEAD_BYTES = 4_096
/** Magic number of gzip (RFC 1952); no line of text begins with it. */
const GZIP = [0x1f, 0x8b]

/** A log to read: a file or standard input, plain or gzip. */
export interface LogInput {
  /** For output and for the recorded batch. */
  readonly name: string
  /** Bytes of the file, compressed or not; 0 for standard input. */
  readonly size: number
  /** When the file was last written; now for standard input. */
  readonly writtenAt: Date
  /** Bytes of the file read so far. */
  readonly bytesRead: number
  /** The log, uncompressed. Can be read once. */
  readonly bytes: AsyncIterable<Uint8Array>
  /** The first bytes of the log that were read, uncompressed. */
  readonly head: Uint8Array
  /** The log from its beginning again; null for standard input. */
  again(): AsyncIterable<Uint8Array> | null
  close(): void
}

/** `-` is standard input. */
export async function openInput(file: string): Promise<LogInput> {
  const head = new Head()
  if (file === '-') {
    const { stdin } = process
    return {
      name: 'standard input',
      size: 0,
      writtenAt: new Date(),
      bytesRead: 0,
      bytes: head.of(unpacked(stdin, 'standard input')),
      get head() {
        return head.bytes
      },
      again: () => null,
      close: () => stdin.destroy(),
    }
  }
  const { size, mtime } = await statFile(file)
  const name = basename(file)
  const stream = createReadStream(file, { highWaterMark: CHUNK_BYTES })
  return {
    name,
    size,
    writtenAt: mtime,
    get bytesRead() {
      return stream.bytesRead
    },
    bytes: head.of(unpacked(stream, name)),
    get head() {
      return head.bytes
    },
    again: () => unpacked(createReadStream(file, { highWaterMark: CHUNK_BYTES }), name),
    close: () => stream.destroy(),
  }
}

/** Keeps the first bytes of what passes. */
class Head {
  bytes: Uint8Array = new Uint8Array(0)

  async *of(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of chunks) {
      const missing = HEAD_BYTES - this.bytes.length
      if (missing > 0) this.bytes = Buffer.concat([this.bytes, chunk.subarray(0, missing)])
      yield chunk
    }
  }
}

async function* unpacked(
  packed: Readable,
  name: string,
): AsyncGenerator<Uint8Array<ArrayBufferLike>, void, undefined> {
  const chunks = packed.iterator()
  let head = Buffer.alloc(0)
  while (head.length < GZIP.length) {
    const { value, done } = await chunks.next()
    if (done === true) break
    head = Buffer.concat([head, value])
  }
  const whole = (async function* () {
    yield head
    yield* chunks
  })()
  if (!GZIP.every((byte, at) => head[at] === byte)) {
    yield* whole
    return
  }
  try {
    yield* gunzipped(whole)
  } catch (cause) {
    if (!String(errno(cause)).startsWith('Z_')) throw cause
    throw new AkashiError('invalid_input', `${name} is a damaged or truncated gzip file`, {
      hint: 'the lines before the damage were imported; import the complete file again when you have it',
      cause,
    })
  }
}

/** Yields everything that was read before an error: Gunzip itself discards what it has not handed over yet. */
async function* gunzipped(packed: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES })
  let failure: unknown
  const input = { fed: false, ended: false }
  let wake = () => {}
  const feed = async () => {
    for await (const chunk of packed) {
      await new Promise<void>((resolve) => gunzip.write(chunk, () => resolve()))
      if (gunzip.destroyed) return
    }
    await new Promise<void>((resolve) => gunzip.flush(constants.Z_SYNC_FLUSH, resolve))
    input.fed = true
  }
  gunzip.on('error', (cause) => {
    failure = cause
  })
  feed()
    .catch((cause: unknown) => {
      failure = cause
    })
    .finally(() => wake())
  for (const event of ['readable', 'end', 'error', 'close']) gunzip.on(event, () => wake())
  try {
    for (;;) {
      const chunk: unknown = gunzip.read()
      if (chunk instanceof Uint8Array) yield chunk
      else if (failure !== undefined) throw failure
      else if (gunzip.readableEnded || gunzip.destroyed) return
      else if (input.fed && !input.ended) {
        input.ended = true
        gunzip.end()
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    }
  } finally {
    gunzip.destroy()
  }
}

async function statFile(file: string): Promise<{ readonly size: number; readonly mtime: Date }> {
  try {
    const found = await stat(file)
    if (!found.isDirectory()) return found
  } catch (cause) {
    if (errno(cause) === 'ENOENT') throw new AkashiError('not_found', `file not found: ${file}`, { cause })
    if (errno(cause) === 'EACCES') throw new AkashiError('forbidden', `${file} cannot be read`, { cause })
    throw cause
  }
  throw new AkashiError('invalid_input', `${file} is a folder`, { hint: 'give the path of a file' })
}
