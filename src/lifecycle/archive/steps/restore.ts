/**
 * Brings an archived partition back. Its rows are filled into a table of their own and compared with the fingerprint
 * of the export before that table is attached, all in one transaction; the table they belong to is locked only for
 * the moment of the attachment. It requires the owner's rights, because nobody else may write historical
 * rows.
 */
import { createReadStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { AkashiError } from '../../../foundation/index.ts'
import type { ObjectStore } from '../../../object-store/index.ts'
import { type Actor, type Database, type Session, sqlState } from '../../../postgres/index.ts'
import { readColumns } from '../columns.ts'
import { type StoreContext, withStoreContext } from '../context.ts'
import { COPY_TIMEOUT_MS, RESTORED_DAYS } from '../limits.ts'
import { type Manifest, readManifest } from '../manifest.ts'
import { isRestorable, matchColumns, missingTypes, restoredExpression } from '../matched-columns.ts'
import { fetchObject, renderCsv } from '../parts.ts'
import { identifier, literal } from '../quote.ts'
import { type ExportRecord, listExports } from '../records.ts'
import { retryWhileLocked } from '../retry-while-locked.ts'
import { logOf, oidOf, type Source } from '../source.ts'
import { isDifference, isEqual, prepareComparison } from './compare.ts'

const DAY_MS = 86_400_000

/** Moments of a restore, in their order; one that is stopped at any of them leaves nothing. */
export type RestoreStep = 'prepared' | 'filled' | 'compared' | 'attached'

export interface RestoreOptions {
  readonly schema: string
  readonly table: string
  /** Name of the partition. */
  readonly partition: string
  /** Until when it stays; default {@link RESTORED_DAYS} from now. */
  readonly keepUntil?: Date
  readonly signal?: AbortSignal
  readonly onStep?: (step: RestoreStep) => void | Promise<void>
}

export interface Restored {
  /** `schema.table` */
  readonly table: string
  readonly partition: string
  readonly rows: number
  /** Equal to those of the exports. */
  readonly fingerprints: readonly string[]
  readonly keepUntil: string
}

/**
 * Restores what was dropped of one partition, or attaches it again where it is only detached.
 *
 * @param owner a database of the role owner
 * @throws AkashiError not_found when nothing of that name was dropped, integrity when the store holds other rows
 */
export async function restorePartition(
  owner: Database,
  actor: Actor,
  store: ObjectStore,
  options: RestoreOptions,
): Promise<Restored> {
  const { schema, table, partition, signal } = options
  const keepUntil = (options.keepUntil ?? new Date(Date.now() + RESTORED_DAYS * DAY_MS)).toISOString()
  const cancel = signal === undefined ? {} : { signal }
  const all = await owner.transaction(actor, (session) => listExports(session, { schema, table }), cancel)
  const of = (state: ExportRecord['state']) =>
    all.filter((each) => each.partition === partition && each.state === state)
  const detached = of('detached')
  const records = detached.length > 0 ? detached : of('dropped')
  const [first] = records
  if (first === undefined) {
    throw new AkashiError('not_found', `${schema}.${table} has no archived partition ${partition}`, {
      hint: 'list them with akashi archive status',
    })
  }
  if (detached.length > 0) {
    const values = [schema, table, partition, first.from, first.to, keepUntil]
    const sql = 'select akashi_lifecycle.reattach_partition($1, $2, $3, $4, $5, $6)'
    await retryWhileLocked(() => owner.transaction(actor, (session) => session.query(sql, values)), {
      partition,
      signal,
    })
  } else {
    await withStoreContext(store, signal, (context) =>
      owner.transaction(actor, (session) => restoreInto(context, session, records, keepUntil, options), {
        timeoutMs: COPY_TIMEOUT_MS,
        retries: 0,
        ...cancel,
      }),
    )
  }
  return {
    table: `${schema}.${table}`,
    partition,
    rows: records.reduce((sum, { rows }) => sum + (rows ?? 0), 0),
    fingerprints: records.flatMap(({ fingerprint }) => fingerprint ?? []),
    keepUntil,
  }
}

async function restoreInto(
  context: StoreContext,
  session: Session,
  records: readonly ExportRecord[],
  keepUntil: string,
  { schema, table, partition, onStep }: RestoreOptions,
): Promise<void> {
  // The store may be slower than what the server allows a transaction to wait.
  await session.query("select set_config('idle_in_transaction_session_timeout', '0', true)")
  await session.query('select akashi_lifecycle.own_table($1, $2)', [schema, table])
  const [first] = records
  const period = [schema, table, partition, first?.from, first?.to]
  await session.query('select akashi_lifecycle.prepare_restored($1, $2, $3, $4, $5)', period)
  const source = await restoredSource(session, { schema, table, partition, from: '', to: '' })
  await onStep?.('prepared')
  const manifests: Manifest[] = []
  for (const { manifest: key, manifestSha256 } of records) {
    const stored = await readManifest(context.store, key, manifestSha256, context.signal)
    if (stored === undefined)
      throw new AkashiError('not_found', `the manifest ${key} is missing from the store`)
    if (source.log === null && manifests.length > 0) await fillLate(context, session, source, stored.manifest)
    else await fill(context, session, source, stored.manifest)
    manifests.push(stored.manifest)
    if (source.log === null && manifests.length === 1) await compare(context, session, source, manifests)
  }
  await onStep?.('filled')
  if (source.log !== null) await compare(context, session, source, manifests)
  await onStep?.('compared')
  await session.query('select akashi_lifecycle.attach_restored($1, $2, $3, $4, $5, $6)', [
    ...period,
    keepUntil,
  ])
  await onStep?.('attached')
}

/** The new table that the rows are filled into; it has the columns of the table they belong to. */
async function restoredSource(session: Session, target: Omit<Source, keyof Restoring>): Promise<Source> {
  const { schema, table, partition } = target
  const oid = await oidOf(session, schema, table)
  return {
    ...target,
    relation: `${identifier(schema)}.${identifier(partition)}`,
    detached: true,
    oid,
    partitionOid: oid,
    columns: await readColumns(session, `${identifier(schema)}.${identifier(table)}`),
    order: [],
    log: logOf(schema, table),
  }
}

type Restoring = Pick<Source, 'relation' | 'detached' | 'oid' | 'partitionOid' | 'columns' | 'order' | 'log'>

/**
 * Late rows of a table without a log: they cannot be distinguished from the others, so they are compared
 * separately.
 */
async function fillLate(
  context: StoreContext,
  session: Session,
  source: Source,
  manifest: Manifest,
): Promise<void> {
  await session.query('drop table if exists pg_temp.akashi_late')
  await session.query(
    `create temporary table akashi_late (like ${source.relation} including defaults including generated) on commit drop`,
  )
  const late = { ...source, relation: 'pg_temp.akashi_late' }
  await fill(context, session, late, manifest)
  await compare(context, session, late, [manifest])
  const written = source.columns.filter(({ generated }) => generated === null)
  const names = written.map(({ name }) => identifier(name)).join(', ')
  await session.query(`insert into ${source.relation} (${names}) select ${names} from pg_temp.akashi_late`)
}

/** Text goes into a table of text, and from there each value becomes what the table has for it now. */
async function fill(
  context: StoreContext,
  session: Session,
  source: Source,
  manifest: Manifest,
): Promise<void> {
  const { store, engine, folder, signal } = context
  const parquet = join(folder, 'object.parquet')
  const csv = join(folder, 'rows.csv')
  const matched = matchColumns(manifest, source, await missingTypes(session, manifest.columns))
  const restored = matched.filter(isRestorable)
  const incoming = manifest.columns.map(({ name }) => `${identifier(name)} text`).join(', ')
  const names = restored.map(({ current, archived }) => identifier(current?.name ?? archived.name))
  for (const part of manifest.parts) {
    await fetchObject(store, part, parquet, signal)
    await renderCsv(engine, manifest.columns, `read_parquet(${literal(parquet)})`, csv, signal)
    await session.query('drop table if exists pg_temp.akashi_incoming')
    await session.query(`create temporary table akashi_incoming (${incoming}) on commit drop`)
    await pipeline(
      createReadStream(csv),
      session.copyFrom('copy pg_temp.akashi_incoming from stdin (format csv)'),
    )
    await session
      .query(
        `insert into ${source.relation} (${names.join(', ')})
         select ${restored.map(restoredExpression).join(', ')} from pg_temp.akashi_incoming`,
      )
      .catch((error: unknown) => {
        throw isDifference(error) || isRefusal(error) ? doesNotFit(manifest, error) : error
      })
    await rm(csv, { force: true })
    await rm(parquet, { force: true })
  }
}

/** SQLSTATE class of values that a constraint refuses. */
function isRefusal(error: unknown): boolean {
  return /^23/.test(sqlState(error) ?? '')
}

function doesNotFit({ schema, table, partition }: Manifest, cause: unknown): AkashiError {
  const why = cause instanceof AkashiError && cause.cause instanceof Error ? `: ${cause.cause.message}` : ''
  return new AkashiError(
    'conflict',
    `a row of ${partition} does not fit into the current ${schema}.${table}${why}`,
    {
      hint: 'nothing was restored; change the column, its type or the constraint back, or read the rows with akashi query',
      cause,
    },
  )
}

async function compare(
  context: StoreContext,
  session: Session,
  source: Source,
  manifests: readonly Manifest[],
): Promise<void> {
  const comparison = await prepareComparison(context, session, source, manifests)
  // Columns that came later have their defaults.
  const equal = await isEqual(session, { ...comparison, unarchived: 'false' })
  if (!equal) {
    const [manifest] = manifests
    throw new AkashiError(
      'integrity',
      `the restored rows of ${manifest?.partition} differ from the exported ones`,
      {
        hint: comparison.altered
          ? 'nothing was restored; a column now has a type that changes its values: akashi query reads the original ones'
          : 'nothing was restored; run akashi archive verify to check the store',
      },
    )
  }
}
