import type { Connection, Submittable } from 'pg'

/** As the driver hands the messages of the server to whoever submitted a query. */
interface DataRow {
  readonly fields: readonly (string | null)[]
}

/**
 * BEGIN and the one statement that prepares the transaction, sent together, so that entering the database
 * with an identity takes one round trip. Both are unnamed, as a pooler in transaction mode needs it.
 */
export class BeginQuery implements Submittable {
  readonly #begin: string
  readonly #prepare: string
  readonly #values: string[]
  readonly #answer = Promise.withResolvers<string>()
  #first: string | undefined

  constructor(begin: string, prepare: string, values: string[]) {
    this.#begin = begin
    this.#prepare = prepare
    this.#values = values
  }

  /** First column of the first row that the second statement answers. */
  get answer(): Promise<string> {
    return this.#answer.promise
  }

  submit(connection: Connection): void {
    const { stream } = connection
    stream.cork()
    this.#send(connection, this.#begin, [])
    this.#send(connection, this.#prepare, this.#values)
    connection.sync()
    stream.uncork()
  }

  #send(connection: Connection, text: string, values: string[]): void {
    connection.parse({ name: '', text, types: [] }, true)
    connection.bind({ values }, true)
    connection.execute({}, true)
  }

  handleDataRow({ fields }: DataRow): void {
    this.#first ??= fields[0] ?? undefined
  }

  handleCommandComplete(): void {
    // Two of them come; ReadyForQuery is the end of both.
  }

  handleReadyForQuery(): void {
    if (this.#first === undefined) {
      this.#answer.reject(new Error('the transaction did not begin'))
    } else {
      this.#answer.resolve(this.#first)
    }
  }

  handleError(error: Error): void {
    this.#answer.reject(error)
  }
}
