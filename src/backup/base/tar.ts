/** Parses a tar archive (POSIX ustar as PostgreSQL writes it) in chunks of any size. */
import { AkashiError } from '../../foundation/index.ts'

export interface TarEntry {
  readonly path: string
  readonly kind: 'file' | 'folder' | 'link'
  readonly mode: number
  /** Bytes; 0 unless a file. */
  readonly size: number
  /** Target of a link. */
  readonly target: string
}

const BLOCK_BYTES = 512
const NAME = [0, 100] as const
const MODE = [100, 8] as const
const SIZE = [124, 12] as const
const CHECKSUM = [148, 8] as const
const TYPE = 156
const LINK = [157, 100] as const
const PREFIX = [345, 155] as const
const SPACE = 0x20
const BASE_256 = 0x80

const kinds: Readonly<Record<string, TarEntry['kind']>> = {
  '0': 'file',
  '\0': 'file',
  '2': 'link',
  '5': 'folder',
}

export class TarReader {
  readonly #onEntry: (entry: TarEntry) => void
  readonly #onData: (data: Buffer) => void | Promise<void>
  readonly #header = Buffer.alloc(BLOCK_BYTES)
  #headerBytes = 0
  #left = 0
  #padding = 0

  /** `onData` receives the bytes of the latest entry passed to `onEntry`. */
  constructor(onEntry: (entry: TarEntry) => void, onData: (data: Buffer) => void | Promise<void>) {
    this.#onEntry = onEntry
    this.#onData = onData
  }

  async write(chunk: Buffer): Promise<void> {
    let at = 0
    while (at < chunk.length) {
      if (this.#left > 0) {
        const data = chunk.subarray(at, at + this.#left)
        const waiting = this.#onData(data)
        if (waiting !== undefined) await waiting
        this.#left -= data.length
        at += data.length
      } else if (this.#padding > 0) {
        const skipped = Math.min(this.#padding, chunk.length - at)
        this.#padding -= skipped
        at += skipped
      } else {
        const copied = chunk.copy(this.#header, this.#headerBytes, at)
        this.#headerBytes += copied
        at += copied
        if (this.#headerBytes === BLOCK_BYTES) this.#begin()
      }
    }
  }

  /** @throws integrity if the archive ends within an entry */
  end(): void {
    if (this.#left > 0 || this.#headerBytes > 0) throw broken()
  }

  #begin(): void {
    this.#headerBytes = 0
    // Two empty blocks end an archive.
    if (this.#header.every((byte) => byte === 0)) return
    const entry = parseHeader(this.#header)
    this.#left = entry.size
    this.#padding = (BLOCK_BYTES - (entry.size % BLOCK_BYTES)) % BLOCK_BYTES
    this.#onEntry(entry)
  }
}

function parseHeader(header: Buffer): TarEntry {
  const checked = Buffer.from(header).fill(SPACE, CHECKSUM[0], CHECKSUM[0] + CHECKSUM[1])
  const sum = checked.reduce((total, byte) => total + byte, 0)
  const kind = kinds[String.fromCharCode(header[TYPE] ?? 0)]
  if (numberIn(header, CHECKSUM) !== sum || kind === undefined) throw broken()
  const prefix = textIn(header, PREFIX)
  const name = textIn(header, NAME).replace(/\/$/, '')
  return {
    path: prefix === '' ? name : `${prefix}/${name}`,
    kind,
    mode: numberIn(header, MODE) & 0o777,
    size: kind === 'file' ? numberIn(header, SIZE) : 0,
    target: textIn(header, LINK),
  }
}

function textIn(header: Buffer, [start, length]: readonly [number, number]): string {
  const field = header.subarray(start, start + length)
  const end = field.indexOf(0)
  return field.toString('utf8', 0, end < 0 ? length : end)
}

/** Octal text, or for large values big-endian bytes after a marker. */
function numberIn(header: Buffer, field: readonly [number, number]): number {
  const [start, length] = field
  if (((header[start] ?? 0) & BASE_256) !== 0) return header.readUIntBE(start + length - 6, 6)
  return Number.parseInt(textIn(header, field).trim() || '0', 8)
}

function broken(): AkashiError {
  return new AkashiError('integrity', 'the server sent a base backup that is not a valid tar archive', {
    hint: 'take the backup again',
  })
}
