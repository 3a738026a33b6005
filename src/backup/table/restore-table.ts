import {
  AkashiError,
  given,
  quoteName,
  quoteTable,
  type TableName,
  tableText,
} from '../../foundation/index.ts'
import type { Actor, ContextKey, Database, Session } from '../../postgres/index.ts'
import { ownerRights } from '../restore/owner-rights.ts'
import { type Scratch, type ScratchOptions, withScratch } from '../restore/scratch.ts'
import { targetText } from '../restore/target.ts'
import type { BackupStore } from '../store/backup-store.ts'
import { asLogin } from './as-login.ts'
import {
  COMMON_SETTINGS,
  copyRows,
  createCopy,
  createThen,
  finishCopy,
  occupied,
  THEN,
  TRIGGERS_MAY_RUN,
} from './copy.ts'
import { applyDifference, compare, type Difference, differ } from './difference.ts'
import { keepFor, leftOut, type Wanted } from './keep.ts'
import { type OwnerLogin, withOwnerLogin } from './owner-login.ts'
import { readShape, type Shape } from './shape.ts'

export interface TableRestoreOptions extends Omit<ScratchOptions, 'keep' | 'fullOnly'> {
  readonly table: TableName
  /** URL of an administrator of the live database, without a pooler. Contains a password: never print it. */
  readonly liveUrl: string
  /** Signs changes made under another login for the actor; without it, the actor is recorded as claimed. */
  readonly contextKey?: ContextKey
  /** Name of a permanent copy; must not exist. */
  readonly into?: TableName
  /** Compare with the current table. */
  readonly diff?: boolean
  /** Restore missing and changed rows in the current table; needs a reason for the audit trail. */
  readonly apply?: { readonly reason: string }
  /** Called with what begins: `recover`, then `copy`. */
  readonly onPhase?: (phase: string) => void
}

/** Schemas of Akashi's own tables, including those that hold the keys of persons. */
const OWN_SCHEMA = /^akashi_/

export interface TableRestored {
  readonly table: string
  readonly into: string | null
  readonly target: string
  readonly reachedTime: string | null
  readonly reachedLsn: string
  readonly rows: number
  /** Bytes of fetched files, and of WAL. */
  readonly bytes: number
  readonly walBytes: number
  readonly chain: readonly string[]
  readonly difference: Difference | null
  readonly applied: { readonly inserted: number; readonly updated: number } | null
  /** Foreign keys of the table; not created on the copy, since their targets may have changed. */
  readonly foreignKeys: readonly string[]
  /** Positions of the sequences of its columns. */
  readonly sequences: readonly { readonly column: string; readonly last: string | null }[]
  readonly notes: readonly string[]
}

/**
 * Restores one table as of a moment: a scratch server recovers only the catalogs and that table, and its rows are
 * copied into the live database in one transaction.
 * @param live of an administrator of the live database
 * @throws unsupported (a table of Akashi's own: old credentials, roles and erased texts would come back), conflict (the name is taken, the moment cannot be restored), not_found (no such table then, or now),
 * integrity naming the damaged object
 */
export async function restoreTable(
  backupStore: BackupStore,
  live: Database,
  actor: Actor,
  options: TableRestoreOptions,
): Promise<TableRestored> {
  const { table, into, target, signal } = options
  await live.direct((session) => assertPossible(session, options), given({ signal }))
  let oids: ReadonlySet<number> = new Set()
  // The oids of a table renamed since the backup, or of partitions missing in an older index, are known only
  // after the catalogs are recovered.
  for (let attempt = 1; ; attempt += 1) {
    const wanted: Wanted = { table, oids }
    options.onPhase?.('recover')
    const outcome = await withScratch(
      backupStore,
      { ...options, keep: (index) => keepFor(index, wanted) },
      async (scratch) => {
        const shape = await scratch.database.direct((session) => readShape(session, table))
        const missing = missingFrom(scratch, wanted, shape)
        if (missing.length > 0 && attempt === 1) return { missing }
        await readyForReading(scratch, shape)
        options.onPhase?.('copy')
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

async function assertPossible(
  session: Session,
  { table, into, diff, apply }: TableRestoreOptions,
): Promise<void> {
  if ([table, into].some((name) => name !== undefined && OWN_SCHEMA.test(name.schema))) {
    throw new AkashiError('unsupported', 'Akashi’s own tables cannot be restored individually', {
      hint: 'restore the whole cluster to that moment',
    })
  }
  if (apply !== undefined && apply.reason.trim() === '') {
    throw new AkashiError('invalid_input', 'applying requires a reason', { hint: 'give it with --reason' })
  }
  const exists = async (name: TableName) => {
    const { rows } = await session.query<{ known: boolean }>('select to_regclass($1) is not null as known', [
      quoteTable(name),
    ])
    return rows[0]?.known === true
  }
  if (into !== undefined && (await exists(into))) throw occupied(into)
  if ((diff === true || apply !== undefined) && !(await exists(table))) {
    throw new AkashiError('not_found', `table ${tableText(table)} does not exist to compare with`, {
      hint: 'restore it under another name with --into',
    })
  }
}

function missingFrom(scratch: Scratch, wanted: Wanted, shape: Shape): number[] {
  const index = scratch.opened.at(-1)?.index
  if (index === undefined) return []
  const out = new Set(leftOut(index, wanted).map(({ oid }) => oid))
  return shape.leaves.filter((oid) => out.has(oid))
}

/** Disables the indexes of the table, whose files are missing, and checks its pages before they are read. */
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
              hint: 'restore the whole cluster to the same moment, and run akashi backup verify',
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
  const { table, into, diff = false, apply, signal, liveUrl, contextKey } = options
  const source = await scratch.asOwner({ ...table, owner: shape.owner })
  const tell = async (session: Session, rows: number, applied: TableRestored['applied']) => {
    await session.query(TRIGGERS_MAY_RUN)
    await record(session, scratch, rows, applied, options)
  }
  const owner = await live.direct((session) => liveOwner(session, shape, options))
  // Committed before anything is compared, so that nothing is shown without being recorded.
  const rules = await asLogin(
    live,
    async (session) => {
      await session.identify(actor)
      return await readRules(session, options)
    },
    signal,
  )
  const asOwner = <T>(work: (session: Session) => Promise<T>) =>
    withOwnerLogin({ admin: live, url: liveUrl, contextKey, ...owner }, (database) =>
      asLogin(
        database,
        async (session) => {
          await session.identify(actor)
          return await work(session)
        },
        signal,
      ),
    )
  let rows = 0
  let notes: string[] = []
  if (into !== undefined) {
    await asOwner(async (session) => {
      await session.query(COMMON_SETTINGS)
      await createCopy(session, into, shape)
      await copyRows(source, session, { source: table, target: quoteTable(into), shape }, signal)
      await removeErased(session, quoteTable(into), rules)
      notes = await finishCopy(session, into, shape)
      rows = await countRows(session, quoteTable(into))
      await tell(session, rows, null)
    })
    await live.direct((session) => exempt(session, table, into))
  }
  let compared: Pick<TableRestored, 'difference' | 'applied'> = { difference: null, applied: null }
  if (diff || apply !== undefined) {
    const withThen = async (session: Session) => {
      await session.query(COMMON_SETTINGS)
      await createThen(session, shape)
      await copyRows(source, session, { source: table, target: THEN, shape }, signal)
      await removeErased(session, THEN, rules)
      await session.query(`analyze ${THEN}`)
      rows = await countRows(session, THEN)
      compared = await differences(session, shape, options, rules)
      if (compared.applied !== null) await tell(session, rows, compared.applied)
    }
    await (apply === undefined ? asLogin(live, withThen, signal) : asOwner(withThen))
  }
  const { reachedTime, reachedLsn, bytes, walBytes, chain } = scratch
  return {
    ...{ reachedTime, reachedLsn, bytes, walBytes, chain, rows, notes },
    ...compared,
    foreignKeys: shape.foreignKeys.map(({ name, definition }) => `${name}: ${definition}`),
    sequences: shape.columns.flatMap(({ name, sequence }) =>
      sequence === null ? [] : [{ column: name, last: sequence.isCalled ? sequence.last : null }],
    ),
  }
}

/** What the current audit trail and erasures say about the table. */
interface Rules {
  /** Columns that the trail holds no values of: not shown. */
  readonly withheld: readonly string[]
  /** People erased since then, by the column that names the person of a row: their rows are not restored. */
  readonly erased: Readonly<Record<string, readonly string[]>>
}

async function readRules(session: Session, { table, diff, apply }: TableRestoreOptions): Promise<Rules> {
  if (diff === true || apply !== undefined) {
    await session.query('select akashi_audit.record_access($1, $2, $3)', [
      tableText(table),
      [],
      apply?.reason ?? null,
    ])
  }
  const { rows } = await session.query<Rules>(
    `select akashi_audit.withheld_columns($1, $2) as withheld,
       coalesce((select jsonb_object_agg(c.person_column, c.people) from (
         select e.person_column, jsonb_agg(e.user_id) as people from akashi_keys.erased_in($1, $2) e group by 1) c), '{}') as erased`,
    [table.schema, table.table],
  )
  const [rules] = rows
  if (rules === undefined) throw new Error('a select without a table returned no row')
  return rules
}

async function removeErased(session: Session, copy: string, { erased }: Rules): Promise<void> {
  for (const [column, people] of Object.entries(erased)) {
    await session.query(`delete from ${copy} where ${quoteName(column)}::text = any ($1)`, [people])
  }
}

/** The role for the work on the live side: the current owner of the table, or the former one if it is gone. */
async function liveOwner(
  session: Session,
  shape: Shape,
  { table, into }: TableRestoreOptions,
): Promise<Pick<OwnerLogin, 'rights' | 'heir'>> {
  const { rows } = await session.query<{ owner: string; present: boolean; quoted: string }>(
    `select rolname as owner, quote_ident(rolname) as quoted, c.oid is not null as present
     from pg_roles left join (pg_class c join pg_namespace n on n.oid = c.relnamespace) on c.relowner = pg_roles.oid
       and (n.nspname, c.relname) = ($1, $2) and c.relkind in ('r', 'p')
     where c.oid is not null or rolname in ($3, current_user)
     order by c.oid is null, rolname <> $3 limit 1`,
    [table.schema, table.table, shape.owner],
  )
  const [found] = rows
  if (found === undefined) throw new Error('the administrator has a role')
  const own = found.present ? await ownerRights(session, { ...table, owner: found.owner }) : () => ''
  const rights = (role: string) =>
    into === undefined
      ? own(role)
      : `${own(role)}; grant usage, create on schema ${quoteName(into.schema)} to ${role}`
  return { rights, heir: found.quoted }
}

async function countRows(session: Session, table: string): Promise<number> {
  const { rows } = await session.query<{ rows: number }>(`select count(*)::float8 as rows from ${table}`)
  return rows[0]?.rows ?? 0
}

async function differences(
  session: Session,
  shape: Shape,
  { table, apply }: TableRestoreOptions,
  { withheld }: Rules,
): Promise<Pick<TableRestored, 'difference' | 'applied'>> {
  // Locked so that the compared rows are the ones changed, with the types read from the catalog.
  const mode = apply === undefined ? 'access share' : 'share row exclusive'
  await session.query(`lock table ${quoteTable(table)} in ${mode} mode`)
  const comparison = await compare(session, table, shape)
  const difference = await differ(session, comparison, withheld)
  await session.query(TRIGGERS_MAY_RUN)
  return { difference, applied: apply === undefined ? null : await applyDifference(session, comparison) }
}

/** Recorded in the same transaction, so that nothing is restored without a record. */
async function record(
  session: Session,
  { reachedTime, reachedLsn }: Scratch,
  rows: number,
  applied: TableRestored['applied'],
  { table, into, apply, target }: TableRestoreOptions,
): Promise<void> {
  const detail = { target: targetText(target), reachedTime, reachedLsn }
  if (into !== undefined && applied === null) {
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

async function exempt(session: Session, table: TableName, into: TableName): Promise<void> {
  await session.query('select akashi_audit.exempt($1::regclass, $2)', [
    quoteTable(into),
    `copy of ${tableText(table)} restored from a backup; protect it when it is put into use`,
  ])
}
