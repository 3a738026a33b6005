/** Short-lived cache of unwrapped keys, so that one request reads a person's file once. */

/** Maximum age: a key that another process destroyed is forgotten after this time. */
export const CACHE_MS = 1_000
/** Keys; about 5 MB. */
export const CACHE_KEYS = 10_000

interface Entry {
  readonly secret: Buffer
  readonly until: number
}

export class SecretCache {
  readonly #entries = new Map<string, Entry>()

  /** Returns a copy, which remains valid when the entry is erased. */
  get(id: string): Buffer | null {
    const entry = this.#entries.get(id)
    if (entry === undefined) return null
    if (entry.until > performance.now()) return Buffer.from(entry.secret)
    this.forget(id)
    return null
  }

  set(id: string, secret: Buffer): void {
    this.forget(id)
    const oldest = this.#entries.size < CACHE_KEYS ? undefined : this.#entries.keys().next().value
    if (oldest !== undefined) this.forget(oldest)
    this.#entries.set(id, { secret: Buffer.from(secret), until: performance.now() + CACHE_MS })
  }

  forget(id: string): void {
    this.#entries.get(id)?.secret.fill(0)
    this.#entries.delete(id)
  }

  clear(): void {
    for (const id of [...this.#entries.keys()]) this.forget(id)
  }
}
