import type { Readable, Writable } from 'node:stream'
import type { Actor } from './actor.ts'
import type { DatabaseRole } from './role.ts'

export interface Rows<R> {
  readonly rows: R[]
  readonly rowCount: number
}

/** One transaction (or one connection outside of any). Values go as parameters, never into the text. */
export interface Session {
  query<R = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<Rows<R>>
  /** Rows of a large result in batches, with back-pressure. */
  stream<R = Record<string, unknown>>(
    text: string,
    values?: readonly unknown[],
    batch?: number,
  ): AsyncIterable<R[]>
  copyFrom(text: string): Writable
  copyTo(text: string): Readable
}

export interface TransactionOptions {
  readonly isolation?: 'read committed' | 'repeatable read' | 'serializable'
  readonly readOnly?: boolean
  /** Milliseconds for one statement; 0 is no limit; default the database's. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
  /** How often work is run again after a serialization failure or a deadlock; default 3. `work` must be repeatable. */
  readonly retries?: number
}

/** A connection of its own, until the work is done. */
export interface DirectSession extends Session {
  /** Aborted when the connection is lost: whoever holds a session lock holds it no longer. */
  readonly lost: AbortSignal
  /** One transaction on this very connection, e.g. under a session lock. Never run again by itself. */
  transaction<T>(
    actor: Actor,
    work: (session: Session) => Promise<T>,
    options?: TransactionOptions,
  ): Promise<T>
  /** Gives the transaction that the caller began here its actor, as {@link transaction} does. */
  identify(actor: Actor): Promise<void>
  /** LISTEN; `onNotification` gets each payload in order and must not throw. */
  listen(channel: string, onNotification: (payload: string) => void): Promise<void>
}

export interface DirectOptions {
  readonly signal?: AbortSignal
  /** Milliseconds for one statement; 0 is no limit; default the database's. */
  readonly timeoutMs?: number
}

/** A pool of connections under one database role. */
export interface Database {
  readonly role: DatabaseRole
  /** Runs `work` in one transaction that carries `actor`; commits when it resolves, rolls back when it throws. */
  transaction<T>(
    actor: Actor,
    work: (session: Session) => Promise<T>,
    options?: TransactionOptions,
  ): Promise<T>
  /** A dedicated connection to the server itself, never through a pooler: LISTEN, session locks, replication, migrations. */
  direct<T>(work: (session: DirectSession) => Promise<T>, options?: DirectOptions): Promise<T>
  close(): Promise<void>
}
