import { inspect } from 'node:util'

export const REDACTED = '[redacted]'

/** A value that prints as `[redacted]`; only {@link Secret.reveal} returns it. */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  reveal(): string {
    return this.#value
  }

  toString(): string {
    return REDACTED
  }

  toJSON(): string {
    return REDACTED
  }

  [inspect.custom](): string {
    return REDACTED
  }
}
