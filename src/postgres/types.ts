import type { Readable, Writable } from 'node:stream'
import type { Actor } from './actor.ts'
import type { DatabaseRole } from './role.ts'

export interface Rows<R> {
  readonly rows: R[]
  readonly rowCount: number
}

/** A transaction, or a connection outside of one. Pass values as parameters, never in the text. */
export interface Session {
  query<R = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<Rows<R>>
  /** A large result in batches, with back-pressure. */
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
  /** How often `work` is retried after a serialization failure or a deadlock; default 3. It must be repeatable. */
  readonly retries?: number
}

/** A dedicated connection, open until the work is done. */
export interface DirectSession extends Session {
  /** Aborted when the connection, and with it any session lock, is lost. */
  readonly lost: AbortSignal
  /** One transaction on this connection, for example under a session lock. Never retried. */
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
  /** Runs `work` in one transaction as `actor`; commits when it resolves, rolls back when it throws. */
  transaction<T>(
    actor: Actor,
    work: (session: Session) => Promise<T>,
    options?: TransactionOptions,
  ): Promise<T>
  /** A dedicated connection directly to the server, never through a pooler: for LISTEN, session locks, migrations. */
  direct<T>(work: (session: DirectSession) => Promise<T>, options?: DirectOptions): Promise<T>
  close(): Promise<void>
}
