/** Limits how often typing is announced, however often the client sends it. */
const PAUSE_MS = 2_000
/** People and rooms that are remembered; the oldest is forgotten first. */
const MAX_REMEMBERED = 10_000

export class TypingPauses {
  readonly #told = new Map<string, number>()

  /** Whether this is to be told now. */
  isDue(roomId: string, userId: string): boolean {
    const key = `${roomId} ${userId}`
    const now = performance.now()
    const before = this.#told.get(key)
    if (before !== undefined && now - before < PAUSE_MS) return false
    this.#told.delete(key)
    this.#told.set(key, now)
    const [oldest] = this.#told.keys()
    if (this.#told.size > MAX_REMEMBERED && oldest !== undefined) this.#told.delete(oldest)
    return true
  }
}
