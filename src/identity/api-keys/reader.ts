/**
 * Looks keys up by their hashes. Calls that arrive during a read share the next one, so that a busy process reads in
 * batches and a single call is not delayed.
 */
import type { Tier } from '@akashi/contract'
import { AkashiError } from '../../foundation/index.ts'
import { type Database, system } from '../../postgres/index.ts'

/** Maximum waiting calls; further ones are refused, so that a slow database does not get slower. */
const MAX_WAITING = 10_000
/** Maximum hashes per read. */
const MAX_BATCH = 500

export interface StoredKey {
  readonly key_hash: string
  readonly id: string
  readonly name: string
  readonly service_name: string
  readonly tier: Tier
  readonly permissions: readonly string[]
  readonly user_id: string | null
  readonly service_account_id: string | null
  readonly expires_at: string | null
  readonly state: 'valid' | 'revoked' | 'expired' | 'owner_inactive'
}

interface Waiting {
  readonly hash: string
  readonly resolve: (key: StoredKey | undefined) => void
  readonly reject: (reason: unknown) => void
}

const reader = system('api-key-reader')

export class KeyReader {
  readonly #database: Database
  #waiting: Waiting[] = []
  #reading = false

  constructor(database: Database) {
    this.#database = database
  }

  /** Undefined if no key has the hash. */
  async find(hash: string): Promise<StoredKey | undefined> {
    if (this.#waiting.length >= MAX_WAITING) {
      throw new AkashiError('rate_limited', 'too many API keys are being checked', { hint: 'try again' })
    }
    const { promise, resolve, reject } = Promise.withResolvers<StoredKey | undefined>()
    this.#waiting.push({ hash, resolve, reject })
    if (!this.#reading) this.#drain().catch(ignore)
    return await promise
  }

  async #drain(): Promise<void> {
    this.#reading = true
    try {
      while (this.#waiting.length > 0) {
        await this.#read(this.#waiting.splice(0, MAX_BATCH))
      }
    } finally {
      this.#reading = false
    }
  }

  async #read(batch: readonly Waiting[]): Promise<void> {
    try {
      const hashes = [...new Set(batch.map(({ hash }) => hash))]
      const { rows } = await this.#database.transaction(
        reader,
        (session) => session.query<StoredKey>('select * from akashi_auth.verify_api_keys($1)', [hashes]),
        { readOnly: true },
      )
      const found = new Map(rows.map((row) => [row.key_hash, row]))
      for (const { hash, resolve } of batch) resolve(found.get(hash))
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }
}

function ignore(): void {
  // Each caller gets the error of its own read.
}
