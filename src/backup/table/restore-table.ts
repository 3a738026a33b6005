import { AkashiError } from '../../foundation/index.ts'
import type { Actor, Database, Session } from '../../postgres/index.ts'
import { type Scratch, type ScratchOptions, withScratch } from '../restore/scratch.ts'
import { targetText } from '../restore/target.ts'
import type { BackupStore } from '../store/backup-store.ts'
import { asAdministrator } from './as-login.ts'
import { COMMON_SETTINGS, copyRows, createCopy, finishCopy, occupied, TRIGGERS_MAY_RUN } from './copy.ts'
import { applyDifference, compare, type Difference, differ } from './difference.ts'
import { keepFor, leftOut, type Wanted } from './keep.ts'
import { quoteTable, type TableName, tableText } from './name.ts'
import { readShape, type Shape } from './shape.ts'

export interface TableRestoreOptions extends Omit<ScratchOptions, 'keep' | 'fullOnly'> {
  readonly table: TableName
  /** A lasting copy; must not exist. */
  readonly into?: TableName
  /** Compare with the present table. */
  readonly diff?: boolean
  /** Bring missing and changed rows back into the present table; needs a reason, which the trail keeps. */
  readonly apply?: { readonly reason: string }
}

export interface TableRestored {
  readonly table: string
  readonly into: string | null
  readonly target: string
  readonly reachedTime: string | null
  readonly reachedLsn: string
  readonly rows: number
  /** Bytes of files that were fetched, and of WAL. */
  readonly bytes: number
  readonly walBytes: number
  readonly chain: readonly string[]
  readonly difference: Difference | null
  readonly applied: { readonly inserted: number; readonly updated: number } | null
  /** What the table referred to; not put on the copy, since what it names may have changed. */
  readonly foreignKeys: readonly string[]
  /** Where the sequences of its columns stood. */
  readonly sequences: readonly { readonly column: string; readonly last: string | null }[]
  readonly notes: readonly string[]
}

/**
 * One table as it was at a moment: a scratch server recovers the catalogs and that table alone, and its rows are
 * copied into the live database, in one transaction there.
 * @param live of an administrator of the live database
 * @throws conflict (the name is taken, the moment cannot be restored), not_found (no such table then, or now),
 * integrity naming the damaged object
 */
export async function restoreTable(
  backupStore: BackupStore,
  live: Database,
  actor: Actor,
  options: TableRestoreOptions,
): Promise<TableRestored> {
  const { table, into, target, signal } = options
  await live.direct((session) => assertPossible(session, options), signal === undefined ? {} : { signal })
  let oids: ReadonlySet<number> = new Set()
  // A table that was renamed since the backup, or whose partitions an older index does not tell, is known by
  // its number only once the catalogs are recovered.
  for (let attempt = 1; ; attempt += 1) {
    const wanted: Wanted = { table, oids }
    const outcome = await withScratch(
      backupStore,
      { ...options, keep: (index) => keepFor(index, wanted) },
      async (scratch) => {
        const shape = await scratch.database.direct((session) => readShape(session, table))
        const missing = missingFrom(scratch, wanted, shape)
        if (missing.length > 0 && attempt === 1) return { missing }
        await readyForReading(scratch, shape)
        return { brought: await bring(scratch, live, actor, shape, options) }
      },
    )
    if ('brought' in outcome) {
      return {
        table: tableText(table),
        into: into === undefined ? null : tableText(into),
        target: targetText(target),
        ...outcome.brought,
      }
    }
    oids = new Set(outcome.missing)
  }
}

async function assertPossible(session: Session, { table, into, apply }: TableRestoreOptions): Promise<void> {
  if (apply !== undefined && apply.reason.trim() === '') {
    throw new AkashiError('invalid_input', 'applying needs a reason', { hint: 'say why with --reason' })
  }
  const exists = async (name: TableName) => {
    const { rows } = await session.query<{ known: boolean }>('select to_regclass($1) is not null as known', [
      quoteTable(name),
    ])
    return rows[0]?.known === true
  }
  if (into !== undefined && (await exists(into))) throw occupied(into)
  if (apply !== undefined && !(await exists(table))) {
    throw new AkashiError('not_found', `there is no table ${tableText(table)} to apply to`, {
      hint: 'bring it back under a name of its own with --into',
    })
  }
}

function missingFrom(scratch: Scratch, wanted: Wanted, shape: Shape): number[] {
  const index = scratch.opened.at(-1)?.index
  if (index === undefined) return []
  const out = new Set(leftOut(index, wanted).map(({ oid }) => oid))
  return shape.leaves.filter((oid) => out.has(oid))
}

/** The table's indexes are not there: nothing may look at them. Its pages are checked before they are read. */
async function readyForReading({ database }: Scratch, { oid, leaves }: Shape): Promise<void> {
  await database.direct(
    async (session) => {
      await session.query(
        'update pg_index set indislive = false, indisready = false, indisvalid = false where indrelid = any($1::oid[])',
        [[oid, ...leaves]],
      )
      await session.query('create extension if not exists amcheck')
      for (const leaf of leaves) {
        const { rows } = await session.query<{ blkno: string; msg: string }>(
          'select blkno::text, msg from verify_heapam($1::oid::regclass, check_toast := true) limit 1',
          [leaf],
        )
        const [found] = rows
        if (found !== undefined) {
          throw new AkashiError(
            'integrity',
            `the recovered table is damaged: block ${found.blkno}: ${found.msg}`,
            {
              hint: 'restore the whole cluster to the same moment, and see akashi backup verify',
            },
          )
        }
      }
    },
    { timeoutMs: 0 },
  )
}

async function bring(
  scratch: Scratch,
  live: Database,
  actor: Actor,
  shape: Shape,
  options: TableRestoreOptions,
): Promise<Omit<TableRestored, 'table' | 'into' | 'target'>> {
  const { table, into, signal } = options
  return await asAdministrator(
    live,
    actor,
    async (session) => {
      await session.query(COMMON_SETTINGS)
      const before = await createCopy(session, into, shape)
      await copyRows(scratch.database, session, table, before, shape, signal)
      const notes = into === undefined ? [] : await finishCopy(session, into, shape)
      if (into === undefined) await session.query(`analyze ${before}`)
      const { rows: counted } = await session.query<{ rows: number }>(
        `select count(*)::float8 as rows from ${before}`,
      )
      const rows = counted[0]?.rows ?? 0
      const compared = await differences(session, before, shape, options)
      await session.query(TRIGGERS_MAY_RUN)
      await record(session, scratch, rows, compared, options)
      const { reachedTime, reachedLsn, bytes, walBytes, chain } = scratch
      return {
        ...{ reachedTime, reachedLsn, bytes, walBytes, chain, rows, notes },
        ...compared,
        foreignKeys: shape.foreignKeys.map(({ name, definition }) => `${name}: ${definition}`),
        sequences: shape.columns.flatMap(({ name, sequence }) =>
          sequence === null ? [] : [{ column: name, last: sequence.isCalled ? sequence.last : null }],
        ),
      }
    },
    signal,
  )
}

async function differences(
  session: Session,
  before: string,
  shape: Shape,
  { table, diff = false, apply }: TableRestoreOptions,
): Promise<Pick<TableRestored, 'difference' | 'applied'>> {
  if (!diff && apply === undefined) return { difference: null, applied: null }
  // What is compared must be what is changed.
  if (apply !== undefined) await session.query(`lock table ${quoteTable(table)} in share row exclusive mode`)
  const comparison = await compare(session, before, table, shape)
  const difference = await differ(session, comparison)
  await session.query(TRIGGERS_MAY_RUN)
  return { difference, applied: apply === undefined ? null : await applyDifference(session, comparison) }
}

/** In the transaction of what it is about: no table comes, and no row is changed, without it. */
async function record(
  session: Session,
  { reachedTime, reachedLsn }: Scratch,
  rows: number,
  { applied }: Pick<TableRestored, 'applied'>,
  { table, into, apply, target }: TableRestoreOptions,
): Promise<void> {
  const detail = { target: targetText(target), reachedTime, reachedLsn }
  if (into !== undefined) {
    await session.query('select akashi_audit.exempt($1::regclass, $2)', [
      quoteTable(into),
      `copy of ${tableText(table)} as it was, brought back from a backup; protect it when it is taken into use`,
    ])
    await session.query(
      `select akashi_audit.record_action('table_restored', 'restore', $1, $2, 'SUCCESS', $3)`,
      [tableText(table), tableText(into), JSON.stringify({ ...detail, rows })],
    )
  }
  if (apply !== undefined && applied !== null) {
    const { reason } = apply
    await session.query(
      `select akashi_audit.record_action('table_restored', 'apply', $1, null, 'SUCCESS', $2)`,
      [tableText(table), JSON.stringify({ ...detail, ...applied, reason })],
    )
  }
}
