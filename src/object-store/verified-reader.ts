import { createHash, type Hash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { asStoreError, cancelled, damaged } from './errors.ts'

const READ_BYTES = 256 * 1024

export interface ReadPlan {
  readonly key: string
  /** First byte. */
  readonly start: number
  /** One past the last byte. */
  readonly end: number
  /** Expected SHA-256; undefined for a range, which cannot be checked. */
  readonly sha256?: string
  readonly signal?: AbortSignal
}

/** Reads an open file on demand; fails at the end if the bytes do not match the digest. */
export class VerifiedReader extends Readable {
  readonly #file: FileHandle
  readonly #plan: ReadPlan
  readonly #hash: Hash | undefined
  readonly #onAbort: () => void
  #position: number

  constructor(file: FileHandle, plan: ReadPlan) {
    super({ highWaterMark: READ_BYTES })
    this.#file = file
    this.#plan = plan
    this.#position = plan.start
    this.#hash = plan.sha256 === undefined ? undefined : createHash('sha256')
    this.#onAbort = () => {
      this.destroy(cancelled(plan.key))
    }
    if (plan.signal?.aborted) this.#onAbort()
    else plan.signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  override _read(): void {
    this.#next().catch((error: unknown) => {
      this.destroy(asStoreError(error, this.#plan.key))
    })
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#plan.signal?.removeEventListener('abort', this.#onAbort)
    this.#file.close().then(
      () => done(error),
      (failure: Error) => done(error ?? failure),
    )
  }

  async #next(): Promise<void> {
    const length = Math.min(READ_BYTES, this.#plan.end - this.#position)
    if (length === 0) {
      this.#finish()
      return
    }
    const { bytesRead, buffer } = await this.#file.read(Buffer.allocUnsafe(length), 0, length, this.#position)
    if (bytesRead === 0) throw damaged(this.#plan.key, 'is shorter than when it was put')
    const chunk = buffer.subarray(0, bytesRead)
    this.#position += bytesRead
    this.#hash?.update(chunk)
    this.push(chunk)
  }

  #finish(): void {
    if (this.#hash !== undefined && this.#hash.digest('hex') !== this.#plan.sha256) {
      throw damaged(this.#plan.key, 'does not match its SHA-256')
    }
    this.push(null)
  }
}
