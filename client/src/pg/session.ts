import { type CurrentActor, sameActor } from '../actor.ts'
import { ContextError } from '../error.ts'
import type { ServerClock } from '../signer.ts'
import type { StatementKind } from '../statement.ts'

/** What is known about a connection: the server behind it, and the transaction that is open on it. */
export class ConnectionState {
  server: ServerClock | undefined
  status: 'I' | 'T' | 'E' = 'I'
  #owner: CurrentActor | undefined
  #carried = false
  #worked = false
  #begun: string[] = []

  /** The server has finished a statement. */
  ready(status: 'I' | 'T' | 'E'): void {
    this.status = status
    if (status === 'I') {
      this.#owner = undefined
      this.#carried = false
      this.#worked = false
      this.#begun = []
    }
  }

  /** Whether the transaction has done nothing yet, so that it can begin again. */
  get fresh(): boolean {
    return !this.#worked
  }

  carried(actor: CurrentActor): void {
    this.#owner = actor
    this.#carried = true
  }

  /**
   * A statement is about to be sent. Returns the actor whose context goes ahead of it; undefined when it needs none.
   *
   * @throws ContextError when it comes from another actor than the transaction: it would be recorded as the other's
   */
  next(kind: StatementKind, actor: CurrentActor | undefined): CurrentActor | undefined {
    if (kind === 'begin' && this.status === 'I') this.#owner = actor
    if (kind === 'back') this.#carried = false
    if (kind !== 'work' || this.status === 'E') return undefined
    if (this.status === 'I') return actor
    if (this.#owner !== undefined && (actor === undefined || !sameActor(actor, this.#owner))) {
      throw new ContextError(
        actor === undefined
          ? 'a statement outside of withActor() in a transaction that began inside it'
          : 'a statement of one actor in a transaction of another',
        'begin a transaction for each actor, inside of its withActor()',
      )
    }
    return this.#carried ? undefined : actor
  }

  /** The statement was sent. */
  sent(kind: StatementKind, text: string): void {
    if (kind === 'work') this.#worked = true
    if (kind === 'begin' || kind === 'control') this.#begun.push(text)
  }

  /** Begins the transaction again, as it was begun. ROLLBACK AND CHAIN forgets how, after an error. */
  get restart(): string {
    return ['rollback', ...this.#begun].join('\n;\n')
  }
}
