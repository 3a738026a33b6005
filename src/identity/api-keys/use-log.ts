/** Records when keys were last used, in memory and written in batches, so that verification writes nothing. */
import { type Database, system } from '../../postgres/index.ts'

/** Milliseconds between two writes; a killed process loses at most this much. */
const FLUSH_MS = 30_000
/** Maximum keys recorded between two writes; further ones are ignored. */
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
    // Does not keep the process running.
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
      // Keep what was not written for the next time, unless there is a newer use.
      for (const [keyId, at] of used) {
        if (!this.#used.has(keyId) && this.#used.size < MAX_KEYS) this.#used.set(keyId, at)
      }
      throw error
    }
  }

  #flushQuietly(): void {
    this.flush().catch(() => {
      // The next use starts the timer again, and an unavailable database is reported elsewhere.
    })
  }
}
