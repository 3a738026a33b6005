import { createHash, type Hash } from 'node:crypto'
import { finished, Readable } from 'node:stream'
import { AkashiError } from '../../foundation/index.ts'
import { cancelled, damaged } from '../errors.ts'

const READ_BYTES = 256 * 1024
/** Maximum number of times one read is resumed after a broken connection. */
const MAX_RESUMES = 8

export interface RemoteReadPlan {
  readonly key: string
  /** First byte. */
  readonly start: number
  /** One past the last byte. */
  readonly end: number
  /** Expected SHA-256; undefined for a range, which cannot be checked. */
  readonly sha256: string | undefined
  readonly signal: AbortSignal | undefined
  /** Milliseconds without data after which a connection counts as broken. */
  readonly idleMs: number
  /** Reopens the same version at `start`. Its error ends the read. */
  reopen(start: number): Promise<Readable>
}

/**
 * Reads one version of an object on demand. Resumes at the same position after a broken connection and fails
 * at the end if the bytes do not match the digest.
 */
export class RemoteReader extends Readable {
  readonly #plan: RemoteReadPlan
  readonly #hash: Hash | undefined
  readonly #onAbort: () => void
  #source: Readable | undefined
  #position: number
  #resumes = 0
  #idle: NodeJS.Timeout | undefined

  constructor(source: Readable, plan: RemoteReadPlan) {
    super({ highWaterMark: READ_BYTES })
    this.#plan = plan
    this.#position = plan.start
    this.#hash = plan.sha256 === undefined ? undefined : createHash('sha256')
    this.#onAbort = () => {
      this.destroy(cancelled(plan.key))
    }
    this.#attach(source)
    if (plan.signal?.aborted) this.#onAbort()
    else plan.signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  override _read(): void {
    if (this.#source === undefined) return
    this.#watch(this.#source)
    this.#source.resume()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#idle)
    this.#plan.signal?.removeEventListener('abort', this.#onAbort)
    const source = this.#source
    this.#source = undefined
    source?.destroy()
    done(error)
  }

  #attach(source: Readable): void {
    this.#source = source
    source.on('data', (chunk: Buffer) => {
      if (this.#source === source) this.#take(source, chunk)
    })
    source.pause()
    finished(source, { writable: false }, () => {
      clearTimeout(this.#idle)
      if (this.#source !== source) return
      this.#source = undefined
      if (this.#position === this.#plan.end) this.#finish()
      else this.#resume()
    })
    // A source may still emit an error after it was replaced; ignore it.
    source.on('error', () => {})
  }

  #take(source: Readable, chunk: Buffer): void {
    this.#watch(source)
    this.#position += chunk.length
    if (this.#position > this.#plan.end) {
      this.destroy(damaged(this.#plan.key, 'is longer than when it was put'))
      return
    }
    this.#hash?.update(chunk)
    if (this.push(chunk)) return
    clearTimeout(this.#idle)
    source.pause()
  }

  #watch(source: Readable): void {
    clearTimeout(this.#idle)
    this.#idle = setTimeout(() => source.destroy(), this.#plan.idleMs)
  }

  #resume(): void {
    if (this.#resumes++ >= MAX_RESUMES) {
      this.destroy(
        new AkashiError('unavailable', 'the connection to the object store broke repeatedly', {
          hint: 'try again later',
          detail: { key: this.#plan.key },
        }),
      )
      return
    }
    this.#plan.reopen(this.#position).then(
      (source) => {
        if (this.destroyed) {
          source.on('error', () => {})
          source.destroy()
          return
        }
        this.#attach(source)
        this._read()
      },
      (error: Error) => this.destroy(error),
    )
  }

  #finish(): void {
    if (this.#hash !== undefined && this.#hash.digest('hex') !== this.#plan.sha256) {
      this.destroy(damaged(this.#plan.key, 'does not match its SHA-256'))
      return
    }
    this.push(null)
  }
}
