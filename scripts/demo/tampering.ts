/** Six ways in which a superuser may tamper with the record, or pass it. Each is carried out, detected and reverted. */
import { auditLogs, postgresEntrySql } from '../../src/audit/index.ts'
import type { DirectSession } from '../../src/postgres/index.ts'
import { runShown, type Stage, Unexpected } from './stage.ts'

/** An unused id. */
const FORGED = '0199d3a0-0000-7000-8000-00000000beef'

interface Tampering {
  readonly title: string
  readonly does: readonly string[]
  readonly undoes: readonly string[]
  /** The kind and name of the problem that verification must report. */
  readonly kind: string
  readonly names: string
}

interface SealedRow {
  readonly id: string
  readonly partition: string
  readonly position: string
}

export async function tamperSixTimes(stage: Stage): Promise<void> {
  await stage.superuser.direct(async (session) => {
    for (const prepare of [change, remove, insert, rewrite, disable, bypass]) {
      await tamper(stage, session, await prepare(stage, session))
    }
  })
}

async function tamper(stage: Stage, session: DirectSession, tampering: Tampering): Promise<void> {
  const { terminal, text, run } = stage
  const { title, does, undoes, kind, names } = tampering
  await terminal.heading(title)
  await runShown(stage, session, does)
  const { stdout } = await run(['verify'], 1)
  const found = stdout.split('\n').find((line) => line.trimStart().startsWith(kind) && line.includes(names))
  if (found === undefined) throw new Unexpected(`${kind} ${names}`)
  await terminal.bad(text.found(kind, names))
  await runShown(stage, session, undoes)
  // That guards were switched off and on again is reported until an administrator accepts it, and so is what
  // the write-ahead log told of it.
  await run(['audit', 'record-catalog', '--reason', text.undoneReason])
  await run(['crosscheck', 'settle', '--explanation', text.undoneReason])
  await run(['verify'])
  await terminal.good(text.undone)
}

async function sealedRow(session: DirectSession, operation: string): Promise<SealedRow> {
  const { rows } = await session.query<SealedRow>(
    `select a.id, a.tableoid::regclass::text as partition, e.position::text
     from akashi_audit.audit_logs a join akashi_audit.ledger_entries e on e.log = 'audit_logs' and e.row_id = a.id
     where a.schema_name = 'shop' and a.table_name = 'orders' and a.operation = $1 order by e.position limit 1`,
    [operation],
  )
  const [row] = rows
  if (row === undefined) throw new Unexpected(`a sealed ${operation} of shop.orders`)
  return row
}

/** Runs statements with the guard trigger disabled, as only a superuser or the owner can. */
function unguarded(relation: string, ...statements: string[]): string[] {
  return [
    `alter table ${relation} disable trigger refuse_change`,
    ...statements,
    `alter table ${relation} enable always trigger refuse_change`,
  ]
}

function restore({ id, partition }: SealedRow): string[] {
  return [
    ...unguarded(
      partition,
      `delete from ${partition}\nwhere id = '${id}'`,
      `insert into ${partition} select * from kept`,
    ),
    'drop table kept',
  ]
}

function keep({ id, partition }: SealedRow): string {
  return `create temporary table kept as select * from ${partition}\nwhere id = '${id}'`
}

function cheapen({ id, partition }: SealedRow): string {
  return `update ${partition}\nset new_values = jsonb_set(new_values, '{total}', '1')\nwhere id = '${id}'`
}

async function change({ text }: Stage, session: DirectSession): Promise<Tampering> {
  const row = await sealedRow(session, 'UPDATE')
  return {
    title: text.tamperings.change,
    does: [keep(row), ...unguarded(row.partition, cheapen(row))],
    undoes: restore(row),
    kind: 'changed',
    names: row.id,
  }
}

async function remove({ text }: Stage, session: DirectSession): Promise<Tampering> {
  const row = await sealedRow(session, 'DELETE')
  return {
    title: text.tamperings.remove,
    does: [keep(row), ...unguarded(row.partition, `delete from ${row.partition}\nwhere id = '${row.id}'`)],
    undoes: restore(row),
    kind: 'removed',
    names: row.id,
  }
}

async function insert({ text }: Stage, session: DirectSession): Promise<Tampering> {
  const { id, partition } = await sealedRow(session, 'UPDATE')
  return {
    title: text.tamperings.insert,
    does: [
      `insert into ${partition}
  (id, created_at, seq, xid, action, context_verified)
select '${FORGED}', created_at, seq, xid, 'UPDATE', true
from ${partition} where id = '${id}'`,
    ],
    undoes: unguarded(partition, `delete from ${partition}\nwhere id = '${FORGED}'`),
    kind: 'added',
    names: FORGED,
  }
}

async function rewrite({ text }: Stage, session: DirectSession): Promise<Tampering> {
  const row = await sealedRow(session, 'UPDATE')
  const { position } = row
  const { hash, texts } = postgresEntrySql(auditLogs)
  const entryHash = async () => {
    const { rows } = await session.query<{ hash: string }>(
      `select encode(${hash}, 'hex') as hash from (select ${texts} from ${row.partition} r where id = $1 offset 0) t`,
      [row.id],
    )
    return rows[0]?.hash ?? ''
  }
  const rehash = (hex: string) =>
    unguarded(
      'akashi_audit.ledger_entries',
      `update akashi_audit.ledger_entries\nset entry_hash = '\\x${hex}'\nwhere log = 'audit_logs' and position = ${position}`,
    )
  const trueHash = await entryHash()
  await session.query('begin')
  for (const statement of unguarded(row.partition, cheapen(row))) await session.query(statement)
  const forgedHash = await entryHash()
  await session.query('rollback')
  return {
    title: text.tamperings.rewrite,
    does: [keep(row), ...unguarded(row.partition, cheapen(row)), ...rehash(forgedHash)],
    undoes: [...restore(row), ...rehash(trueHash)],
    kind: 'changed',
    names: `entry ${position}`,
  }
}

async function disable({ text }: Stage): Promise<Tampering> {
  return {
    title: text.tamperings.disable,
    does: ['alter table shop.orders disable trigger akashi_audit_update'],
    undoes: ['alter table shop.orders enable always trigger akashi_audit_update'],
    kind: 'trigger',
    names: 'shop.orders',
  }
}

/** Within one transaction, so that nobody sees the trigger disabled. */
async function bypass({ text }: Stage): Promise<Tampering> {
  return {
    title: text.tamperings.bypass,
    does: [
      'create temporary table kept as select * from shop.orders order by id limit 1',
      `begin;
alter table shop.orders disable trigger akashi_audit_update;
update shop.orders set total = 1 where id in (select id from kept);
alter table shop.orders enable always trigger akashi_audit_update;
commit`,
    ],
    undoes: ['update shop.orders o set total = k.total from kept k where o.id = k.id', 'drop table kept'],
    kind: 'crosscheck',
    names: 'shop.orders',
  }
}
