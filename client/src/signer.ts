import type { CurrentActor } from './actor.ts'
import { ContextError } from './error.ts'
import { type ContextKey, parseContextKey } from './key.ts'
import { type ServerView, signContext } from './sign.ts'
import { arrayLiteral } from './wire.ts'

export interface ContextOptions {
  /** The text `akctx_…` that `akashi context-key create` printed. */
  readonly key: string | ContextKey
}

/** The server as one connection sees it. */
export class ServerClock {
  readonly #audience: string
  readonly #aheadMs: number

  /** @param text what READ_SERVER returned, just now */
  constructor(text: string) {
    const [, time, audience] = /^(\d+) (.+)$/su.exec(text) ?? []
    if (time === undefined || audience === undefined) {
      throw new ContextError('the database did not return its audience', 'run `akashi doctor`')
    }
    this.#audience = audience
    this.#aheadMs = Number(time) - Date.now()
  }

  get view(): ServerView {
    return { time: Date.now() + this.#aheadMs, audience: this.#audience }
  }
}

export class Signer {
  readonly #key: ContextKey

  /** @throws ContextError for what is no key */
  constructor({ key }: ContextOptions) {
    this.#key = typeof key === 'string' ? parseContextKey(key) : key
  }

  /** The parameter of SET_CONTEXT. */
  sign(actor: CurrentActor, server: ServerClock): string {
    return arrayLiteral(signContext(actor.fields, this.#key, server.view))
  }
}
