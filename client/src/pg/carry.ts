import type { Connection } from 'pg'
import type { CurrentActor } from '../actor.ts'
import { ServerClock, type Signer } from '../signer.ts'
import { isOneStatement, type StatementKind, statementKind } from '../statement.ts'
import { explained, NOT_ACCEPTED, READ_SERVER, SET_CONTEXT } from '../wire.ts'
import type { DataRow, DriverQuery } from './driver.ts'
import type { ConnectionState } from './session.ts'

export interface Carrier {
  readonly state: ConnectionState
  readonly signer: Signer
  /** Puts a query in front of all that wait for the connection. */
  readonly again: (query: DriverQuery) => void
}

/**
 * What the server is answering: the query itself, or what goes ahead of it or behind.
 *
 * - `server`: reads what a signature needs to know
 * - `context`: the context, with the query behind it in the same round trip
 * - `open`: the context alone, in a transaction that it begins where there is none
 * - `restart`: begins a transaction again that has done nothing yet, as it was begun
 * - `close`: ends the transaction that `open` began
 */
type Phase = 'query' | 'server' | 'context' | 'open' | 'restart' | 'close'

type Outcome = { readonly error: unknown } | undefined

/**
 * A query that carries the context of an actor. Whether it has to is known only when it is sent, after everything
 * that was called before it.
 *
 * Statements that are sent without a Sync between them run in one transaction, so the context of a single statement
 * counts for it and is gone afterwards; when it is not accepted, the server skips what is behind it. A text of several
 * statements and a query of another package (a cursor, COPY) use the protocol in ways of their own: they get a
 * transaction around them.
 */
class CarriedQuery {
  readonly #query: DriverQuery
  readonly #original: Pick<
    DriverQuery,
    | 'name'
    | 'submit'
    | 'handleRowDescription'
    | 'handleDataRow'
    | 'handleCommandComplete'
    | 'handleError'
    | 'handleReadyForQuery'
  >
  readonly #carrier: Carrier
  readonly #actor: CurrentActor | undefined
  /** Empty for what is not the driver's own. */
  readonly #text: string
  readonly #kind: StatementKind
  readonly #pipelines: boolean
  #phase: Phase = 'query'
  #carries: CurrentActor | undefined
  /** CommandComplete messages until the query's own. */
  #ahead = 0
  /** The context was sent ahead in a round trip of its own. */
  #opened = false
  /** So was `begin`. */
  #began = false
  #retried = false
  #serverText = ''
  /** Of the query, told when its transaction has ended. */
  #outcome: Outcome

  constructor(query: DriverQuery, actor: CurrentActor | undefined, carrier: Carrier, drivers: boolean) {
    this.#query = query
    this.#actor = actor
    this.#carrier = carrier
    const { name, submit, handleRowDescription, handleDataRow, handleCommandComplete } = query
    const { handleError, handleReadyForQuery } = query
    this.#original = {
      ...{ name, submit, handleRowDescription, handleDataRow, handleCommandComplete },
      ...{ handleError, handleReadyForQuery },
    }
    this.#text = drivers ? String(query.text ?? '') : ''
    this.#kind = statementKind(this.#text)
    // A query with a limit of rows sends its Sync later.
    this.#pipelines = drivers && !query.rows && isOneStatement(this.#text)
  }

  patch(): void {
    this.#query.submit = (connection) => this.#submit(connection)
    this.#query.handleRowDescription = (message) => {
      if (this.#phase === 'query') this.#original.handleRowDescription.call(this.#query, message)
    }
    this.#query.handleDataRow = (message) => this.#dataRow(message)
    this.#query.handleCommandComplete = (message, connection) => this.#complete(message, connection)
    this.#query.handleError = (error, connection) => this.#error(error, connection)
    this.#query.handleReadyForQuery = (connection) => this.#ready(connection)
  }

  #submit(connection: Connection): Error | null | undefined {
    const { state, signer } = this.#carrier
    if (this.#phase === 'restart' || this.#phase === 'close') return this.#send(connection, this.#phase)
    if (!this.#opened) {
      try {
        this.#carries = state.next(this.#kind, this.#actor)
      } catch (error) {
        return error as Error
      }
    }
    if (this.#opened || this.#carries === undefined) {
      state.sent(this.#kind, this.#text)
      return this.#original.submit.call(this.#query, connection)
    }
    if (state.server === undefined) return this.#send(connection, 'server')
    this.#sendContext(connection, signer.sign(this.#carries, state.server))
    return null
  }

  #send(connection: Connection, phase: 'server' | 'restart' | 'close'): null {
    this.#enter(phase)
    connection.query({ server: READ_SERVER, restart: this.#carrier.state.restart, close: 'commit' }[phase])
    return null
  }

  #sendContext(connection: Connection, context: string): void {
    const { stream } = connection
    this.#enter(this.#pipelines ? 'context' : 'open')
    const statements: [text: string, values: string[]][] = [[SET_CONTEXT, [context]]]
    if (!this.#pipelines && this.#carrier.state.status === 'I') {
      this.#began = true
      this.#carrier.state.sent('begin', 'begin')
      statements.unshift(['begin', []])
    }
    this.#ahead = statements.length
    stream.cork()
    try {
      for (const [text, parameters] of statements) {
        connection.parse({ name: '', text, types: [] }, true)
        connection.bind({ values: parameters }, true)
        connection.execute({}, true)
      }
      if (this.#pipelines) this.#sendQuery(connection)
      else connection.sync()
    } finally {
      stream.uncork()
    }
  }

  /** Behind the context, which only the extended protocol can be. */
  #sendQuery(connection: Connection): void {
    this.#query.queryMode = 'extended'
    this.#query.name = this.#original.name
    const refused = this.#original.submit.call(this.#query, connection)
    if (refused instanceof Error) {
      // Nothing of it was sent.
      this.#outcome = { error: refused }
      connection.sync()
    }
    this.#query.name = undefined
  }

  #enter(phase: Phase): void {
    this.#phase = phase
    // At each ParseComplete the client takes down that the prepared statement of this name is there.
    if ('name' in this.#query) this.#query.name = phase === 'query' ? this.#original.name : undefined
  }

  #dataRow(message: DataRow): void {
    if (this.#phase === 'server') this.#serverText = String(message.fields[0])
    if (this.#phase === 'query') this.#original.handleDataRow.call(this.#query, message)
  }

  #complete(message: unknown, connection: Connection): void {
    if (this.#phase === 'query') {
      this.#original.handleCommandComplete.call(this.#query, message, connection)
      return
    }
    this.#ahead -= 1
    if (this.#phase !== 'context' || this.#ahead > 0) return
    this.#accepted()
    this.#carrier.state.sent(this.#kind, this.#text)
    this.#enter('query')
  }

  #accepted(): void {
    if (this.#carries !== undefined) this.#carrier.state.carried(this.#carries)
  }

  #error(error: unknown, connection: Connection): void {
    const { state, again } = this.#carrier
    const at = this.#phase
    const fromServer = isRecord(error) && 'severity' in error
    const code = fromServer ? error['code'] : undefined
    if (at === 'query' && this.#began && fromServer) {
      // COMMIT of a failed transaction rolls it back.
      this.#outcome = { error }
      this.#enter('close')
      again(this.#query)
      return
    }
    this.#enter('query')
    if ((at === 'context' || at === 'open') && code === NOT_ACCEPTED && !this.#retried && state.fresh) {
      this.#retried = true
      state.server = undefined
      // The error ends a transaction that was open; `open` began one itself.
      if (state.status === 'T' || this.#began) this.#enter('restart')
      again(this.#query)
      return
    }
    this.#original.handleError.call(this.#query, at === 'query' ? error : explained(error, code), connection)
  }

  #ready(connection: Connection): void {
    const { state, again } = this.#carrier
    const at = this.#phase
    if (at === 'server') {
      try {
        state.server = new ServerClock(this.#serverText)
      } catch (error) {
        this.#enter('query')
        this.#original.handleError.call(this.#query, error, connection)
        return
      }
    }
    if (at === 'open') {
      this.#accepted()
      this.#opened = true
    }
    if (at === 'query' && this.#began && state.status !== 'I' && this.#outcome === undefined) {
      this.#enter('close')
      again(this.#query)
      return
    }
    this.#enter('query')
    if (at === 'server' || at === 'open' || at === 'restart') again(this.#query)
    else if (this.#outcome !== undefined) {
      this.#original.handleError.call(this.#query, this.#outcome.error, connection)
    } else this.#original.handleReadyForQuery.call(this.#query, connection)
  }
}

/**
 * Changes a query so that it carries the context of an actor, if it has to.
 *
 * @param drivers whether it is the driver's own and not another package's
 */
export function carryContext(
  query: DriverQuery,
  actor: CurrentActor | undefined,
  carrier: Carrier,
  drivers: boolean,
): void {
  new CarriedQuery(query, actor, carrier, drivers).patch()
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
