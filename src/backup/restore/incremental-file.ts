/** The incremental form of a relation's segment, `INCREMENTAL.<file>` (PostgreSQL's backup/basebackup_incremental.h). */
import type { FileHandle } from 'node:fs/promises'
import { AkashiError } from '../../foundation/index.ts'

const MAGIC = 0xd3ae1f0d
const BLOCK_BYTES = 8192
/** Magic, number of blocks, truncation block length. */
const FIXED_HEADER_BYTES = 12
const NUMBER_BYTES = 4
/** Blocks of one relation file (default RELSEG_SIZE). */
const SEGMENT_BLOCKS = 131_072

export const INCREMENTAL_PREFIX = 'INCREMENTAL.'

interface Header {
  readonly blocks: readonly number[]
  readonly truncation: number
  /** Bytes, padding included. */
  readonly length: number
}

/**
 * Applies an incremental file to the file of the previous backup as the bytes arrive: truncates it at the limit,
 * extends it to its length, then writes the changed blocks.
 */
export class IncrementalApplier {
  readonly #file: FileHandle
  readonly #path: string
  readonly #limit: number | undefined
  #head: Buffer = Buffer.alloc(0)
  #header: Header | undefined
  #next = 0
  #inBlock = 0

  /** @param limit first block that must not come from older backups */
  constructor(file: FileHandle, path: string, limit: number | undefined) {
    this.#file = file
    this.#path = path
    this.#limit = limit
  }

  async write(data: Buffer): Promise<void> {
    let rest = data
    if (this.#header === undefined) {
      this.#head = Buffer.concat([this.#head, data])
      const header = parseHeader(this.#head, this.#path)
      if (header === undefined) return
      this.#header = header
      await this.#resize(header)
      rest = this.#head.subarray(header.length)
      this.#head = Buffer.alloc(0)
    }
    while (rest.length > 0) {
      const block = this.#header.blocks[this.#next]
      if (block === undefined) throw malformed(this.#path)
      const part = rest.subarray(0, BLOCK_BYTES - this.#inBlock)
      await this.#file.write(part, 0, part.length, block * BLOCK_BYTES + this.#inBlock)
      this.#inBlock += part.length
      if (this.#inBlock === BLOCK_BYTES) {
        this.#inBlock = 0
        this.#next += 1
      }
      rest = rest.subarray(part.length)
    }
  }

  end(): void {
    if (this.#header === undefined || this.#next !== this.#header.blocks.length) throw malformed(this.#path)
  }

  async #resize({ blocks, truncation }: Header): Promise<void> {
    const length = blocks.reduce((longest, block) => Math.max(longest, block + 1), truncation)
    const { size } = await this.#file.stat()
    if (this.#limit !== undefined && size > this.#limit * BLOCK_BYTES) {
      await this.#file.truncate(this.#limit * BLOCK_BYTES)
    }
    await this.#file.truncate(length * BLOCK_BYTES)
  }
}

/** The limit of a relation fork within one of its files; undefined if it does not apply. */
export function limitOfFile(block: number, segment: number): number | undefined {
  const limit = block - segment * SEGMENT_BLOCKS
  return limit >= SEGMENT_BLOCKS ? undefined : Math.max(0, limit)
}

/** `base/5/1234.2` is file 2 of `base/5/1234`. */
export function forkOf(path: string): { readonly fork: string; readonly segment: number } {
  const [, fork, segment] = /^(.*\/[^/.]+)\.(\d+)$/.exec(path) ?? []
  return fork === undefined ? { fork: path, segment: 0 } : { fork, segment: Number(segment) }
}

function parseHeader(bytes: Buffer, path: string): Header | undefined {
  if (bytes.length < FIXED_HEADER_BYTES) return undefined
  const count = bytes.readUInt32LE(4)
  if (bytes.readUInt32LE(0) !== MAGIC || count > SEGMENT_BLOCKS) throw malformed(path)
  const used = FIXED_HEADER_BYTES + count * NUMBER_BYTES
  const length = count === 0 ? used : Math.ceil(used / BLOCK_BYTES) * BLOCK_BYTES
  if (bytes.length < length) return undefined
  const blocks = Array.from({ length: count }, (_, i) =>
    bytes.readUInt32LE(FIXED_HEADER_BYTES + i * NUMBER_BYTES),
  )
  return { blocks, truncation: bytes.readUInt32LE(8), length }
}

function malformed(path: string): AkashiError {
  return new AkashiError('integrity', `${path} is not a valid incremental file`, {
    hint: 'restore from an earlier backup and take a new full backup: akashi backup full',
  })
}
