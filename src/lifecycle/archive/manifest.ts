/** The manifest of an export: what was archived, and how to verify it. Written once, after the comparison. */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { AkashiError } from '../../foundation/index.ts'
import type { ObjectStore } from '../../object-store/index.ts'
import { MAX_MANIFEST_BYTES } from './limits.ts'

const sha256 = z.string().regex(/^[0-9a-f]{64}$/)
/** A 64-bit number as a decimal. */
const count = z.string().regex(/^\d+$/)

const column = z.object({
  name: z.string(),
  /** PostgreSQL's type. */
  type: z.string(),
  /** DuckDB's type in the file; VARCHAR for PostgreSQL's text. */
  parquet: z.string(),
  /** Numbers in the table and in the partition (`pg_attribute.attnum`): a rename keeps them. */
  number: z.number().int(),
  partitionNumber: z.number().int(),
  /** Expression of a generated column. */
  generated: z.string().nullable(),
})

const part = z.object({
  key: z.string(),
  bytes: z.number().int(),
  sha256,
  rows: z.number().int().positive(),
  /** SHA-256 of the rows' CSV from the beginning of the export to the end of this part. */
  fingerprint: sha256,
  /** First and last position in the log; null for a table without a log. */
  firstPosition: count.nullable(),
  lastPosition: count.nullable(),
  columns: z.record(
    z.string(),
    z.object({ nulls: z.number().int(), min: z.string().nullable(), max: z.string().nullable() }),
  ),
  csv: z.object({ key: z.string(), bytes: z.number().int(), sha256 }).nullable(),
})

export const manifestSchema = z.object({
  format: z.literal('akashi-archive/1'),
  schema: z.string(),
  table: z.string(),
  partition: z.string(),
  /** Bounds in UTC, the upper one exclusive. */
  from: z.string(),
  to: z.string(),
  generation: z.number().int(),
  /** The database that exported it: its log's origin, its cluster and timeline. */
  database: z.object({
    origin: z.string(),
    systemIdentifier: z.string(),
    timeline: z.number().int().nullable(),
  }),
  /** OIDs, in that database. */
  tableOid: z.string(),
  partitionOid: z.string(),
  /** True if the export holds every row of the table, and so replaces earlier exports. */
  replaces: z.boolean(),
  rows: z.number().int(),
  columns: z.array(column),
  /** The export contains the rows after `after` up to and including `upto`, by the columns of `order`. */
  after: z.array(z.string()).nullable(),
  upto: z.array(z.string()).nullable(),
  /** Columns by which the rows are ordered. */
  order: z.array(z.string()),
  /** SHA-256 of COPY (SELECT columns … ORDER BY order) TO STDOUT (FORMAT csv, FORCE_QUOTE *) in UTC, ISO, hex. */
  fingerprint: sha256,
  ledger: z
    .object({
      log: z.string(),
      firstPosition: count.nullable(),
      lastPosition: count.nullable(),
      /** Size of the log at the export, and the signed checkpoint of that size. */
      size: count,
      checkpoint: z.string().nullable(),
    })
    .nullable(),
  parts: z.array(part),
  exportedAt: z.string(),
  /** Of a copy: the export that it was made of, and which of its rows it has; null for rows of all. */
  copyOf: z
    .object({
      manifest: z.string(),
      sha256,
      fingerprint: sha256,
      rows: z.number().int(),
      tenant: z.string().nullable(),
      class: z.string().nullable(),
      copiedAt: z.string(),
    })
    .optional(),
})

export type Manifest = z.infer<typeof manifestSchema>
export type ManifestPart = Manifest['parts'][number]

export interface StoredManifest {
  readonly manifest: Manifest
  /** Of the bytes in the store. */
  readonly sha256: string
}

/** Reads a manifest; undefined when there is none. @throws integrity when it is damaged or not the expected one */
export async function readManifest(
  store: ObjectStore,
  key: string,
  expected?: string | null,
  signal?: AbortSignal,
): Promise<StoredManifest | undefined> {
  const head = await store.head(key)
  if (head === null) return undefined
  if (head.size > MAX_MANIFEST_BYTES) throw damaged(key, 'is too large for a manifest')
  const chunks: Buffer[] = []
  for await (const chunk of await store.get(key, signal === undefined ? {} : { signal })) {
    chunks.push(Buffer.from(chunk as Uint8Array))
  }
  const bytes = Buffer.concat(chunks)
  const digest = createHash('sha256').update(bytes).digest('hex')
  if (expected !== undefined && expected !== null && expected !== digest) {
    throw damaged(key, 'is not the manifest that was published')
  }
  try {
    return { manifest: manifestSchema.parse(JSON.parse(bytes.toString('utf8'))), sha256: digest }
  } catch (cause) {
    throw damaged(key, 'is not a manifest', cause)
  }
}

/** Publishes a manifest unless there is one. Exactly one of many writers wins; returns what is there. */
export async function publishManifest(
  store: ObjectStore,
  key: string,
  manifest: Manifest,
): Promise<StoredManifest & { readonly won: boolean }> {
  const bytes = Buffer.from(`${JSON.stringify(manifest, null, 1)}\n`)
  try {
    const digest = createHash('sha256').update(bytes).digest('hex')
    await store.put(key, bytes, { ifAbsent: true, sha256: digest })
    return { manifest, sha256: digest, won: true }
  } catch (error) {
    if (!(error instanceof AkashiError && error.code === 'already_exists')) throw error
    const there = await readManifest(store, key)
    if (there === undefined) throw error
    return { ...there, won: false }
  }
}

/**
 * Keys of everything that an export or a copy has but its manifest: what the store lists, with what an attempt left
 * behind, and what the manifest names, should the store not list it.
 */
export async function objectsOf(
  store: ObjectStore,
  manifest: string,
  listed: readonly string[],
  signal?: AbortSignal,
): Promise<string[]> {
  const stored = await readManifest(store, manifest, null, signal).catch((error: unknown) => {
    // One that is damaged names nothing, and must not keep the rest.
    if (error instanceof AkashiError && error.code === 'integrity') return undefined
    throw error
  })
  const named = (stored?.manifest.parts ?? []).flatMap(({ key, csv }) =>
    csv === null ? [key] : [key, csv.key],
  )
  return [...new Set([...listed, ...named])]
}

function damaged(key: string, what: string, cause?: unknown): AkashiError {
  return new AkashiError('integrity', `${key} ${what}`, { detail: { key }, cause })
}
