/** The parts of the driver that its types do not name. */
import type { Client, Connection, Submittable } from 'pg'

export interface DataRow {
  readonly fields: readonly (string | null)[]
}

/** A query as the client hands it the messages of the server. */
export interface DriverQuery extends Submittable {
  text?: string
  /** Of a prepared statement; the client remembers at each ParseComplete that it is there. */
  name?: string | undefined
  queryMode?: string
  /** Rows to fetch at a time. */
  readonly rows?: number
  callback?: unknown
  submit(connection: Connection): Error | null | undefined
  handleRowDescription(message: unknown): void
  handleDataRow(message: DataRow): void
  handleCommandComplete(message: unknown, connection: Connection): void
  handleError(error: unknown, connection: Connection): void
  handleReadyForQuery(connection: Connection): void
}

export interface ClientInternals {
  /** Queries that wait for the connection, the next one first. */
  readonly _queryQueue: DriverQuery[]
  readonly _activeQuery: DriverQuery | null
}

export interface ReadyForQuery {
  /** I: no transaction, T: in one, E: in a failed one. */
  readonly status: 'I' | 'T' | 'E'
}

export type ClientClass = (new (
  ...options: ConstructorParameters<typeof Client>
) => Client) & {
  readonly Query: new (config: unknown, values: unknown, callback: unknown) => DriverQuery
}
