/**
 * The database's clock as this process sees it. Signatures expire by that clock, and machines disagree,
 * so each transaction tells what time it was over there.
 */
export class ServerClock {
  #aheadMs = 0

  /** Milliseconds since 1970 on the database's clock, as far as known. */
  now(): number {
    return Date.now() + this.#aheadMs
  }

  /** @param serverTime milliseconds since 1970, just received from the database */
  observe(serverTime: number): void {
    this.#aheadMs = serverTime - Date.now()
  }
}
