import type { Actor } from './actor.ts'
import { type ContextKey, contextValues } from './context.ts'

/**
 * Signs the contexts of one login. They are bound to the connection's audience and expire by the database's clock,
 * which this process learns from the transactions that it begins.
 */
export class ContextSigner {
  readonly #renew: ContextKey['renew']
  #key: ContextKey | undefined
  #aheadMs = 0
  #audience = ''

  /** @param key without it nothing is signed */
  constructor(key: ContextKey | undefined) {
    this.#key = key
    this.#renew = key?.renew
  }

  get signs(): boolean {
    return this.#key !== undefined
  }

  /** The value of each of `contextSettings`. */
  values(actor: Actor): string[] {
    return contextValues(actor, this.#key, { time: Date.now() + this.#aheadMs, audience: this.#audience })
  }

  /** After a context was not accepted: the key may have been replaced. */
  async renew(): Promise<void> {
    if (this.#renew !== undefined) this.#key = await this.#renew()
  }

  /** @param serverTime milliseconds since 1970, just received from the database */
  observe(serverTime: number, audience: string): void {
    this.#aheadMs = serverTime - Date.now()
    this.#audience = audience
  }
}
