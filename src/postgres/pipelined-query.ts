import type { Connection, Submittable } from 'pg'

/** The interface by which the driver passes the server's messages to a submitted query. */
interface DataRow {
  readonly fields: readonly (string | null)[]
}

export interface Statement {
  readonly text: string
  readonly values: string[]
}

/**
 * Statements sent together, so that entering the database with an identity takes one round trip. All are unnamed, as
 * a pooler in transaction mode needs it.
 */
export class PipelinedQuery implements Submittable {
  readonly #statements: readonly Statement[]
  readonly #result = Promise.withResolvers<readonly string[]>()
  readonly #firstColumns: string[] = []

  constructor(statements: readonly Statement[]) {
    this.#statements = statements
  }

  /** First column of each row, in order; NULL is the empty text. */
  get result(): Promise<readonly string[]> {
    return this.#result.promise
  }

  submit(connection: Connection): void {
    const { stream } = connection
    stream.cork()
    for (const { text, values } of this.#statements) {
      connection.parse({ name: '', text, types: [] }, true)
      connection.bind({ values }, true)
      connection.execute({}, true)
    }
    connection.sync()
    stream.uncork()
  }

  handleDataRow({ fields }: DataRow): void {
    this.#firstColumns.push(fields[0] ?? '')
  }

  handleCommandComplete(): void {
    // One comes for each statement; ReadyForQuery is the end of all.
  }

  handleReadyForQuery(): void {
    this.#result.resolve(this.#firstColumns)
  }

  handleError(error: Error): void {
    this.#result.reject(error)
  }
}
