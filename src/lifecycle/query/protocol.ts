/** The messages between a process and the engine that it started: one request, then responses until it is done. */

export interface View {
  readonly schema: string
  readonly name: string
  /** SELECT over the files. */
  readonly sql: string
}

/** What a query can see: the views, and only these files. */
export interface Dataset {
  /** Equal keys mean equal datasets; the engine keeps the last one open. */
  readonly key: string
  readonly files: readonly string[]
  readonly views: readonly View[]
}

export interface Limits {
  readonly memory: string
  readonly threads: number
  readonly rows: number
  readonly bytes: number
}

export type Request =
  /** Parses a text into DuckDB's own syntax tree. */
  | { readonly kind: 'parse'; readonly sql: string; readonly limits: Limits }
  /** Values of expressions without columns, each a tree, as microseconds since 1970. */
  | { readonly kind: 'times'; readonly expressions: readonly unknown[]; readonly limits: Limits }
  | { readonly kind: 'run'; readonly sql: string; readonly dataset: Dataset; readonly limits: Limits }

export type EngineErrorKind = 'input' | 'memory' | 'refused' | 'bytes' | 'internal'

export type Response =
  | { readonly kind: 'ready' }
  | { readonly kind: 'tree'; readonly tree: string }
  | { readonly kind: 'times'; readonly micros: readonly (string | null)[] }
  | { readonly kind: 'columns'; readonly names: readonly string[]; readonly types: readonly string[] }
  | { readonly kind: 'rows'; readonly rows: readonly (readonly unknown[])[] }
  /** Progress of the scan, 0 to 1. */
  | { readonly kind: 'progress'; readonly done: number }
  | { readonly kind: 'done'; readonly truncated: boolean }
  | { readonly kind: 'error'; readonly error: EngineErrorKind; readonly message: string }
