/**
 * Restores archived partitions: attaches the partition again, loads its rows from the store, and compares them with
 * the fingerprint of the export, all in one transaction. It needs the owner's privileges, since no other role may
 * insert such rows.
 */
import { createReadStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { AkashiError, makeScratchFolder } from '../../foundation/index.ts'
import type { ObjectStore } from '../../object-store/index.ts'
import type { Actor, Database, Session } from '../../postgres/index.ts'
import { restoreExpression } from './columns.ts'
import { type Engine, openEngine } from './engine.ts'
import { COPY_TIMEOUT_MS, RESTORED_DAYS } from './limits.ts'
import { type Manifest, readManifest } from './manifest.ts'
import { fetchObject, renderCsv } from './parts.ts'
import { identifier, literal } from './quote.ts'
import { type ExportRecord, listExports } from './records.ts'
import { countRows, fingerprintRows, openSource } from './source.ts'

const DAY_MS = 86_400_000

export interface RestoreOptions {
  readonly schema: string
  readonly table: string
  /** Name of the partition. */
  readonly partition: string
  /** Until when it is kept; default {@link RESTORED_DAYS} from now. */
  readonly keepUntil?: Date
  readonly signal?: AbortSignal
}

export interface Restored {
  /** `schema.table` */
  readonly table: string
  readonly partition: string
  readonly rows: number
  /** Fingerprints of the exports, which the restored rows match. */
  readonly fingerprints: readonly string[]
  readonly keepUntil: string
}

/**
 * Restores the dropped rows of one partition.
 *
 * @param owner a database of the role owner
 * @throws AkashiError not_found when no such partition was dropped; integrity when the store has other rows
 */
export async function restorePartition(
  owner: Database,
  actor: Actor,
  store: ObjectStore,
  options: RestoreOptions,
): Promise<Restored> {
  const { schema, table, partition, signal } = options
  const keepUntil = options.keepUntil ?? new Date(Date.now() + RESTORED_DAYS * DAY_MS)
  const folder = await makeScratchFolder('restore')
  const engine = openEngine(join(folder, 'engine'))
  try {
    return await owner.transaction(
      actor,
      async (session) => {
        const all = await listExports(session, { schema, table })
        const records = all.filter((each) => each.partition === partition && each.state === 'dropped')
        const [first] = records
        if (first === undefined) {
          throw new AkashiError('not_found', `${schema}.${table} has no archived partition ${partition}`, {
            hint: 'list them with akashi archive status',
          })
        }
        await prepare(session, first)
        const fingerprints: string[] = []
        for (const record of records) {
          if (records.some(({ generation, upto }) => upto === null && generation > record.generation))
            continue
          const stored = await readManifest(store, record.manifest, record.manifestSha256, signal)
          if (stored === undefined)
            throw new AkashiError('not_found', `the manifest ${record.manifest} is missing from the store`)
          await fill(
            session,
            { store, engine, folder, ...(signal === undefined ? {} : { signal }) },
            stored.manifest,
          )
          await compare(session, record, stored.manifest)
          fingerprints.push(stored.manifest.fingerprint)
        }
        await session.query(`drop policy akashi_restore on ${parentOf(first)}`)
        await session.query('select akashi_lifecycle.mark_restored($1, $2, $3, $4, $5)', [
          schema,
          table,
          first.from,
          first.to,
          keepUntil.toISOString(),
        ])
        return {
          table: `${schema}.${table}`,
          partition,
          rows: records.reduce((sum, { rows }) => sum + (rows ?? 0), 0),
          fingerprints,
          keepUntil: keepUntil.toISOString(),
        }
      },
      { timeoutMs: COPY_TIMEOUT_MS, retries: 0, ...(signal === undefined ? {} : { signal }) },
    )
  } finally {
    engine.close()
    await rm(folder, { recursive: true, force: true })
  }
}

function parentOf({ schema, table }: { readonly schema: string; readonly table: string }): string {
  return `${identifier(schema)}.${identifier(table)}`
}

/** Creates the partition, and a policy with which the owner can read and write its rows in this transaction. */
async function prepare(session: Session, record: ExportRecord): Promise<void> {
  await session.query('select akashi_lifecycle.own_table($1, $2)', [record.schema, record.table])
  await session.query('select akashi_lifecycle.make_partition($1::regclass, $2, $3, $4)', [
    parentOf(record),
    record.partition,
    record.from,
    record.to,
  ])
  await session.query(
    `create policy akashi_restore on ${parentOf(record)} to akashi_owner using (true) with check (true)`,
  )
}

interface Parts {
  readonly store: ObjectStore
  readonly engine: Engine
  readonly folder: string
  readonly signal?: AbortSignal
}

/** Loads the CSV into a temporary table of text columns and inserts the converted values. */
async function fill(session: Session, parts: Parts, manifest: Manifest): Promise<void> {
  const { store, engine, folder, signal } = parts
  const parquet = join(folder, 'object.parquet')
  const csv = join(folder, 'rows.csv')
  const incoming = manifest.columns.map(({ name }) => `${identifier(name)} text`).join(', ')
  const names = manifest.columns.map(({ name }) => identifier(name)).join(', ')
  for (const part of manifest.parts) {
    await fetchObject(store, part, parquet, signal)
    await renderCsv(engine, manifest.columns, `read_parquet(${literal(parquet)})`, csv, signal)
    await session.query('drop table if exists pg_temp.akashi_incoming')
    await session.query(`create temporary table akashi_incoming (${incoming}) on commit drop`)
    await pipeline(
      createReadStream(csv),
      session.copyFrom('copy pg_temp.akashi_incoming from stdin (format csv)'),
    )
    await session.query(
      `insert into ${parentOf(manifest)} (${names})
       select ${manifest.columns.map((column) => restoreExpression(column)).join(', ')} from pg_temp.akashi_incoming`,
    )
    await rm(csv, { force: true })
    await rm(parquet, { force: true })
  }
}

async function compare(session: Session, record: ExportRecord, manifest: Manifest): Promise<void> {
  const source = await openSource(session, record, false)
  const window = { after: manifest.after, upto: manifest.upto }
  const rows = await countRows(session, source, window)
  if (rows !== manifest.rows || (await fingerprintRows(session, source, window)) !== manifest.fingerprint) {
    throw new AkashiError(
      'integrity',
      `the restored rows of ${manifest.partition} differ from the exported ones`,
      {
        hint: 'nothing was restored; run akashi archive verify to check the store',
      },
    )
  }
}
