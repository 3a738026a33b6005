/**
 * Rows of one Parquet object. A larger partition becomes several, so memory and temporary disk stay bounded, and one
 * is copied while another is converted.
 */
export const PART_ROWS = 245_760

/** Rows of one row group: what a reader decompresses to get at one row, and what a writer holds in memory. */
export const ROW_GROUP_ROWS = 61_440

/** Encoded columns gain nothing from DuckDB's default of 3: level 1 takes a quarter less time and no more room. */
export const ZSTD_LEVEL = 1

/** Memory of DuckDB beside that of the process. */
export const ENGINE_MEMORY = '160MB'

/** One thread: the server and this process share the cores with it, and each thread costs memory. */
export const ENGINE_THREADS = 1

/** Bytes of one row as CSV, of nearly every row: buffers have a multiple of it. */
export const LINE_BYTES = 2 * 1024 * 1024

/** Bytes of one row as CSV at most; a part with one above {@link LINE_BYTES} is converted with more memory. */
export const LONG_LINE_BYTES = 128 * 1024 * 1024

/** Memory of DuckDB for such a part. */
export const LONG_LINE_MEMORY = '1GB'

/** Bytes of a buffer of the CSV reader, in lines. */
export const BUFFER_LINES = 2

/** Milliseconds for one statement that reads a part of a partition. */
export const COPY_TIMEOUT_MS = 4 * 60 * 60 * 1000

/** Milliseconds that one attempt to detach waits for its locks: writers of the table wait behind it as long. */
export const DETACH_LOCK_MS = 100

/** Milliseconds between two attempts to detach. */
export const DETACH_PAUSE_MS = 250

/** Milliseconds after which a run leaves a partition attached that it cannot lock; the next run goes on. */
export const DETACH_WAIT_MS = 300_000

/** Milliseconds that a run waits for the sealer to take rows that were committed just before. */
export const SEAL_WAIT_MS = 10_000

/** Milliseconds between two looks at the sealer's frontier. */
export const SEAL_POLL_MS = 200

/** Bytes of the largest manifest that is read. */
export const MAX_MANIFEST_BYTES = 16 * 1024 * 1024

/** Rows of one batch of archived entries. */
export const ENTRY_BATCH_ROWS = 2_048

/** Days that a restored partition stays unless the caller says otherwise. */
export const RESTORED_DAYS = 30
