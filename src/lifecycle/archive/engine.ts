/** DuckDB for the archive: one in-memory connection without network. */
import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { AkashiError } from '../../foundation/index.ts'
import { ENGINE_MEMORY, ENGINE_THREADS, ENTRY_BATCH_ROWS, LARGE_MEMORY } from './limits.ts'

/** The error raised by our statement when entries and rows do not match. */
export const ENTRIES_DIFFER = 'entries and rows differ'

export type Row = Readonly<Record<string, string | number | boolean | null>>

export interface Engine {
  /**
   * Runs one statement, again with more memory when it runs out of it.
   *
   * @returns rows of a small result, every value as JSON has it (64-bit numbers as text)
   */
  run(sql: string, signal?: AbortSignal): Promise<readonly Row[]>
  /** A large result in batches of at most {@link ENTRY_BATCH_ROWS}. */
  stream(sql: string, signal?: AbortSignal): AsyncIterable<readonly Row[]>
  /** Releases all memory, which the allocator does only when the engine closes. The next statement opens it again. */
  release(): void
  close(): void
}

/** @param folder for data that does not fit into memory */
export function openEngine(folder: string): Engine {
  let opened: Promise<Opened> | undefined
  let running: Opened | undefined
  const connection = async (memory = ENGINE_MEMORY) => {
    opened ??= openInstance(folder, memory)
    running = await opened
    return running.connection
  }
  const release = () => {
    running?.connection.closeSync()
    running?.instance.closeSync()
    running = undefined
    opened = undefined
  }
  const runOn = async (own: DuckDBConnection, sql: string, signal: AbortSignal | undefined) =>
    await interruptible(own, signal, async () => {
      const reader = await own.runAndReadAll(sql)
      return rowsOf(reader.getRowObjectsJson())
    })
  return {
    run: async (sql, signal) => {
      try {
        return await runOn(await connection(), sql, signal)
      } catch (error) {
        if (!(error instanceof AkashiError && error.detail['memory'] === true)) throw error
        release()
        return await runOn(await connection(LARGE_MEMORY), sql, signal)
      }
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
    release,
    close: release,
  }
}

interface Opened {
  readonly instance: DuckDBInstance
  readonly connection: DuckDBConnection
}

async function openInstance(folder: string, memory: string): Promise<Opened> {
  const { DuckDBInstance } = await import('@duckdb/node-api')
  const instance = await DuckDBInstance.create(':memory:', {
    threads: String(ENGINE_THREADS),
    memory_limit: memory,
    temp_directory: folder,
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    // Files are written again under the same name, and the cache goes by name, size and second.
    enable_external_file_cache: 'false',
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

/** Kinds of errors caused by a value; others are bugs. */
const VALUE_ERRORS = ['conversion', 'invalid input', 'out of range', 'constraint']

/** The first line of a message may quote a value, so only the kind of error is reported. */
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
    return new AkashiError('integrity', 'the entries of the ledger do not match the rows', {
      hint: 'run akashi verify',
      cause: error,
    })
  }
  if (kind === 'out of memory') {
    return new AkashiError('unavailable', 'the archive ran out of memory', {
      hint: 'a row may be too large for one of its buffers',
      detail: { memory: true },
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
