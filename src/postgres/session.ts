import { finished, type Readable, type Writable } from 'node:stream'
import pg from 'pg'
import copy from 'pg-copy-streams'
import { AkashiError } from '../foundation/index.ts'
import type { Client } from './client.ts'
import { STATEMENT_GRACE_MS, STREAM_BATCH_ROWS } from './limits.ts'
import { toAkashiError } from './sqlstate.ts'
import type { Rows, Session } from './types.ts'

/**
 * Uses one connection while the session is open. Statements run one after the other in the order of the
 * calls. After {@link ClientSession.close} nothing is sent any more, since the connection may be in another
 * transaction by then.
 */
export class ClientSession implements Session {
  readonly #client: Client
  readonly #timeoutMs: number
  #tail: Promise<unknown> = Promise.resolve()
  #waiting = 0
  #copying = 0
  #cursors = 0
  #closed: AkashiError | undefined
  readonly #driverErrors = new WeakSet<object>()
  /** The error of the first failed statement: the reason why a transaction cannot be committed. */
  firstError: AkashiError | undefined

  /** @param timeoutMs the statement timeout set on the server; 0 is none */
  constructor(client: Client, timeoutMs: number) {
    this.#client = client
    this.#timeoutMs = timeoutMs
  }

  /** True while a statement is running. */
  get busy(): boolean {
    return this.#waiting > 0
  }

  /** True while a copy runs, which a cancel request does not interrupt. */
  get copying(): boolean {
    return this.#copying > 0
  }

  async query<R = Record<string, unknown>>(text: string, values: readonly unknown[] = []): Promise<Rows<R>> {
    const result = await this.submit(() => execute(this.#client, text, values, this.#timeoutMs))
    return { rows: result.rows, rowCount: result.rowCount ?? 0 }
  }

  async *stream<R = Record<string, unknown>>(
    text: string,
    values: readonly unknown[] = [],
    batch = STREAM_BATCH_ROWS,
  ): AsyncGenerator<R[], void, undefined> {
    this.#cursors += 1
    const cursor = `akashi_${this.#cursors}`
    await this.query(`declare ${cursor} no scroll cursor for ${text}`, values)
    let usable = true
    try {
      for (;;) {
        usable = false
        const { rows } = await this.query<R>(`fetch ${batch} from ${cursor}`)
        usable = true
        if (rows.length > 0) {
          yield rows
        }
        if (rows.length < batch) {
          return
        }
      }
    } finally {
      // After a failed fetch the transaction accepts only ROLLBACK, which closes the cursor too.
      if (usable && this.#closed === undefined) {
        await this.query(`close ${cursor}`)
      }
    }
  }

  copyFrom(text: string): Writable {
    return this.#startCopy(() => this.#client.query(copy.from(text)))
  }

  copyTo(text: string): Readable {
    return this.#startCopy(() => this.#client.query(copy.to(text)))
  }

  /** Runs `run` after all earlier statements have finished. */
  submit<T>(run: () => Promise<T>): Promise<T> {
    this.#waiting += 1
    const result = this.#tail.then(async () => {
      try {
        if (this.#closed !== undefined) {
          throw this.#closed
        }
        return await run()
      } catch (error) {
        const translated = toAkashiError(error)
        this.firstError ??= translated
        throw translated
      } finally {
        this.#waiting -= 1
      }
    })
    this.#tail = result.catch(ignore)
    return result
  }

  /** Rejects every later statement with `reason`; the running one continues. */
  close(reason: AkashiError): void {
    this.#closed ??= reason
  }

  /** Waits until every statement has finished, including those that nobody awaits. */
  async settled(): Promise<void> {
    let tail: Promise<unknown>
    do {
      tail = this.#tail
      await tail
    } while (tail !== this.#tail)
  }

  /** Translates errors of the driver; errors of the caller's own code stay unchanged. */
  translate(error: unknown): unknown {
    const fromDriver =
      error instanceof pg.DatabaseError || (error instanceof Error && this.#driverErrors.has(error))
    return fromDriver ? toAkashiError(error) : error
  }

  #startCopy<S extends Readable | Writable>(start: () => S): S {
    if (this.#closed !== undefined) {
      throw this.#closed
    }
    if (this.busy || this.copying) {
      throw new AkashiError('internal', 'a copy was started while another statement runs', {
        hint: 'await the running statement first',
      })
    }
    this.#copying += 1
    const stream = start()
    const { promise, resolve } = Promise.withResolvers<void>()
    finished(stream, (error) => {
      this.#copying -= 1
      if (error) {
        this.#copyFailed(stream, error)
      }
      resolve()
    })
    this.#tail = promise
    return stream
  }

  /** The driver emits errors without destroying the stream; a destroyed stream means that its reader stopped early. */
  #copyFailed(stream: Readable | Writable, error: Error): void {
    if (error instanceof pg.DatabaseError || !stream.destroyed) {
      this.#driverErrors.add(error)
      this.firstError ??= toAkashiError(error)
      return
    }
    this.firstError ??= new AkashiError('internal', 'a copy was abandoned before its end', { cause: error })
    // What the server still sends would be taken for the result of the next statement.
    this.#client.connection.stream.destroy()
  }
}

/** The error for using the session of a transaction that has ended. */
export function sessionEnded(): AkashiError {
  return new AkashiError('internal', 'the transaction of this session has ended', {
    hint: 'await every statement before the work of the transaction resolves',
  })
}

/** Runs one statement. */
export async function execute(
  client: Client,
  text: string,
  values: readonly unknown[],
  timeoutMs: number,
): Promise<pg.QueryResult> {
  const result = await withDeadline(
    client,
    timeoutMs,
    (): Promise<pg.QueryResult | pg.QueryResult[]> =>
      values.length === 0 ? client.query(text) : client.query(text, [...values]),
  )
  return Array.isArray(result) ? lastOf(result) : result
}

/**
 * Closes the connection when the server stays silent beyond the statement timeout and a grace period, so that
 * a lost network cannot keep a caller waiting.
 */
export async function withDeadline<T>(client: Client, timeoutMs: number, run: () => Promise<T>): Promise<T> {
  const deadline =
    timeoutMs === 0
      ? undefined
      : setTimeout(() => client.connection.stream.destroy(silentServer()), timeoutMs + STATEMENT_GRACE_MS)
  try {
    return await run()
  } finally {
    clearTimeout(deadline)
  }
}

/** A text with several statements returns several results; the last one counts. */
function lastOf(results: readonly pg.QueryResult[]): pg.QueryResult {
  const last = results.at(-1)
  if (last === undefined) {
    throw new AkashiError('internal', 'the statement is empty')
  }
  return last
}

function silentServer(): AkashiError {
  return new AkashiError('timeout', 'the database stopped responding', {
    hint: 'check the network between akashi and the database',
  })
}

function ignore(): void {
  // The caller of the statement gets the error; the queue only waits.
}
