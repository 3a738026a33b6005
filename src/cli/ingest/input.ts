import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { pipeline, type Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { AkashiError, errno } from '../../foundation/index.ts'

const CHUNK_BYTES = 65_536
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
  /** The log from its beginning again; null for standard input. */
  again(): AsyncIterable<Uint8Array> | null
  close(): void
}

/** `-` is standard input. */
export async function openInput(file: string): Promise<LogInput> {
  if (file === '-') {
    const { stdin } = process
    return {
      name: 'standard input',
      size: 0,
      writtenAt: new Date(),
      bytesRead: 0,
      bytes: unpacked(stdin, 'standard input'),
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
    bytes: unpacked(stream, name),
    again: () => unpacked(createReadStream(file, { highWaterMark: CHUNK_BYTES }), name),
    close: () => stream.destroy(),
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
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES })
  // The error is thrown where gunzip is read below.
  pipeline(whole, gunzip, () => undefined)
  try {
    yield* gunzip
  } catch (cause) {
    if (!String(errno(cause)).startsWith('Z_')) throw cause
    throw new AkashiError('invalid_input', `${name} is a damaged or truncated gzip file`, {
      hint: 'the lines before the damage were imported; import the complete file again when you have it',
      cause,
    })
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
