/** DuckDB as the archive uses it: one connection in memory, no network, files named by the caller. */
import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { AkashiError } from '../../foundation/index.ts'
import { ENGINE_MEMORY, ENGINE_THREADS, ENTRY_BATCH_ROWS } from './limits.ts'

/** What a statement of ours says when the ledger's entries do not stand beside their rows. */
export const ENTRIES_DIFFER = 'entries and rows differ'

export type Row = Readonly<Record<string, string | number | boolean | null>>

export interface Engine {
  /** Runs one statement; rows of a small result, every value as JSON has it (64-bit numbers as text). */
  run(sql: string, signal?: AbortSignal): Promise<readonly Row[]>
  /** Rows of a large result in batches of {@link ENTRY_BATCH_ROWS} at most. */
  stream(sql: string, signal?: AbortSignal): AsyncIterable<readonly Row[]>
  /** Gives back all memory: closing is what makes the allocator let go of it. The next statement starts anew. */
  rest(): void
  close(): void
}

/** @param folder for what does not fit into memory */
export function openEngine(folder: string): Engine {
  let opened: Promise<Opened> | undefined
  let running: Opened | undefined
  const connection = async () => {
    opened ??= openInstance(folder)
    running = await opened
    return running.connection
  }
  const rest = () => {
    running?.connection.closeSync()
    running?.instance.closeSync()
    running = undefined
    opened = undefined
  }
  return {
    run: async (sql, signal) => {
      const own = await connection()
      return await interruptible(own, signal, async () => {
        const reader = await own.runAndReadAll(sql)
        return rowsOf(reader.getRowObjectsJson())
      })
    },
    async *stream(sql, signal) {
      const own = await connection()
      const result = await interruptible(own, signal, () => own.stream(sql))
      for await (const rows of result.yieldRowObjectJson()) {
        signal?.throwIfAborted()
        for (let at = 0; at < rows.length; at += ENTRY_BATCH_ROWS)
          yield rowsOf(rows.slice(at, at + ENTRY_BATCH_ROWS))
      }
    },
    rest,
    close: rest,
  }
}

interface Opened {
  readonly instance: DuckDBInstance
  readonly connection: DuckDBConnection
}

async function openInstance(folder: string): Promise<Opened> {
  const { DuckDBInstance } = await import('@duckdb/node-api')
  const instance = await DuckDBInstance.create(':memory:', {
    threads: String(ENGINE_THREADS),
    memory_limit: ENGINE_MEMORY,
    temp_directory: folder,
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  })
  const connection = await instance.connect()
  await connection.run("set timezone = 'UTC'")
  return { instance, connection }
}

function rowsOf(rows: readonly unknown[]): readonly Row[] {
  return rows as readonly Row[]
}

async function interruptible<T>(
  connection: DuckDBConnection,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted()
  const stop = () => connection.interrupt()
  signal?.addEventListener('abort', stop, { once: true })
  try {
    return await work()
  } catch (error) {
    signal?.throwIfAborted()
    throw engineError(error)
  } finally {
    signal?.removeEventListener('abort', stop)
  }
}

/** Kinds of errors that a value causes; every other one is a mistake of ours. */
const VALUE_ERRORS = ['conversion', 'invalid input', 'out of range', 'constraint']

/** The first line says what is wrong, and may quote a value: only its kind is kept. */
function engineError(error: unknown): AkashiError {
  const message = error instanceof Error ? error.message : String(error)
  const kind = /^([A-Z][A-Za-z-]*(?: [A-Za-z-]+)*) Error/.exec(message)?.[1]?.toLowerCase() ?? 'unknown'
  if (/no space left|could not write/i.test(message)) {
    return new AkashiError('unavailable', 'the disk for temporary files is full', {
      hint: 'free space, or point TMPDIR at a larger disk',
      cause: error,
    })
  }
  if (message.includes(ENTRIES_DIFFER)) {
    return new AkashiError('integrity', 'the entries of the ledger are not those of the rows', {
      hint: 'run akashi verify',
      cause: error,
    })
  }
  if (kind === 'out of memory') {
    return new AkashiError('unavailable', 'the archive ran out of memory', {
      hint: 'a row may be too large for one of its buffers',
      cause: error,
    })
  }
  if (!VALUE_ERRORS.includes(kind)) {
    return new AkashiError('integrity', `a file of the archive cannot be read or written (${kind} error)`, {
      cause: error,
    })
  }
  return new AkashiError('unsupported', `a value cannot be represented in Parquet (${kind} error)`, {
    cause: error,
  })
}
