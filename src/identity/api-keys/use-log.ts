/** When keys were last used: kept in memory and written many at once, so that verifying writes nothing. */
import { type Database, system } from '../../postgres/index.ts'

/** What a process that is killed forgets at most. */
const FLUSH_MS = 30_000
/** Keys that are remembered between two writes; further ones are left out. */
const MAX_KEYS = 50_000

const useLog = system('api-key-uses')

export class UseLog {
  readonly #database: Database
  #used = new Map<string, Date>()
  #timer: NodeJS.Timeout | undefined

  constructor(database: Database) {
    this.#database = database
  }

  note(keyId: string): void {
    if (this.#used.size >= MAX_KEYS && !this.#used.has(keyId)) return
    this.#used.set(keyId, new Date())
    // Not a reason for the process to live on.
    this.#timer ??= setTimeout(() => this.#flushQuietly(), FLUSH_MS).unref()
  }

  async flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const used = this.#used
    if (used.size === 0) return
    this.#used = new Map()
    try {
      await this.#database.transaction(useLog, (session) =>
        session.query('select akashi_auth.touch_api_keys($1, $2)', [[...used.keys()], [...used.values()]]),
      )
    } catch (error) {
      // Later uses are newer; what was not written waits for the next time.
      for (const [keyId, at] of used) {
        if (!this.#used.has(keyId) && this.#used.size < MAX_KEYS) this.#used.set(keyId, at)
      }
      throw error
    }
  }

  #flushQuietly(): void {
    this.flush().catch(() => {
      // The next use starts the timer again, and a database that is away shows itself elsewhere.
    })
  }
}
