/**
 * Rows per Parquet object. A larger partition becomes several objects, which bounds memory and temporary disk space,
 * and lets one be copied while another is converted.
 */
export const PART_ROWS = 245_760

/** Rows per row group: what a reader decompresses to read one row, and what a writer keeps in memory. */
export const ROW_GROUP_ROWS = 61_440

/** For encoded columns, level 1 takes a quarter less time than DuckDB's default of 3 and no more space. */
export const ZSTD_LEVEL = 1

/** Memory limit of DuckDB. */
export const ENGINE_MEMORY = '160MB'

/** One thread, because the server and this process need the cores too, and each thread costs memory. */
export const ENGINE_THREADS = 1

/** Bytes of one row as CSV that buffers are made for; a part with a longer one is read with larger buffers. */
export const LINE_BYTES = 2 * 1024 * 1024

/** Bytes of one row as CSV at most; PostgreSQL writes none that is larger. */
export const MAX_LINE_BYTES = 1024 * 1024 * 1024

/** Memory of DuckDB for what does not fit into {@link ENGINE_MEMORY}: parts with very long rows. */
export const LARGE_MEMORY = '6GB'

/** Size of a buffer of the CSV reader, in lines. */
export const BUFFER_LINES = 2

/** Milliseconds for one statement that reads a part of a partition. */
export const COPY_TIMEOUT_MS = 4 * 60 * 60 * 1000

/** Milliseconds that one attempt to detach waits for its locks, which blocks writers of the table as long. */
export const DETACH_LOCK_MS = 100

/** Milliseconds between two attempts to detach. */
export const DETACH_PAUSE_MS = 250

/** Milliseconds after which a run leaves a partition attached that it cannot lock; the next run continues. */
export const DETACH_WAIT_MS = 300_000

/** Milliseconds that a run waits for the sealer to seal rows committed just before. */
export const SEAL_WAIT_MS = 10_000

/** Milliseconds between two readings of the sealer's frontier. */
export const SEAL_POLL_MS = 200

/** Maximum bytes of a manifest. */
export const MAX_MANIFEST_BYTES = 16 * 1024 * 1024

/** Rows per batch of archived entries. */
export const ENTRY_BATCH_ROWS = 2_048

/** Groups of tenant and class that an export counts by name; the rows of all others are counted together. */
export const MAX_GROUPS = 1_000

/** Default number of days that a restored partition is kept. */
export const RESTORED_DAYS = 30

/** Exports of a partition in one run whose rows keep changing; then the next run tries again. */
export const MAX_EXPORTS_A_RUN = 3
