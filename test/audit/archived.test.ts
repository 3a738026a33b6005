import { beforeAll, describe, expect, it } from 'vitest'
import {
  type ArchivedEntry,
  type ArchivedRows,
  auditLogs,
  entryHash,
  type RowText,
} from '../../src/audit/index.ts'
import { AkashiError } from '../../src/foundation/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'

const database = testDatabase()
const worker = database.open('worker')
const ledger = testLedger(worker)

interface Kept {
  position: bigint
  row: Record<string, string>
}

/** Rows as an archive keeps them: text, hashed anew whenever they are read. */
let kept: Kept[] = []

/** An archive over `kept` in two objects whose positions interleave; `spoil` stands for what may go wrong. */
function archive(
  spoil: { row?: (kept: Kept) => Kept | null; entries?: () => void; declared?: number } = {},
): ArchivedRows {
  const objects = [kept.filter((_, i) => i % 2 === 0), kept.filter((_, i) => i % 2 === 1)]
  return {
    objects: async (log) =>
      log === 'audit_logs'
        ? objects.map((rows, i) => ({
            name: `object-${i}`,
            partition: 'akashi_audit.audit_logs_2026_01',
            from: new Date(0),
            to: new Date('9999-01-01T00:00:00Z'),
            rows: BigInt(rows.length + (i === 0 ? (spoil.declared ?? 0) : 0)),
            firstPosition: rows[0]?.position ?? 0n,
            lastPosition: rows.at(-1)?.position ?? 0n,
          }))
        : [],
    async *entries(object) {
      if (object.name === 'object-0') spoil.entries?.()
      const found = (object.name === 'object-0' ? objects[0] : objects[1]) ?? []
      const rows = found.map((each) => (spoil.row === undefined ? each : spoil.row(each)))
      for (const each of rows) if (each !== null) yield [toEntry(each)]
    },
  }
}

function toEntry({ position, row }: Kept): ArchivedEntry {
  const text: RowText = row
  return {
    position,
    rowId: row['id'] ?? '',
    createdAt: new Date(row['created_at'] ?? ''),
    entryHash: entryHash(auditLogs, text),
  }
}

const kinds = (problems: readonly { kind: string; id: string | null }[]) =>
  problems.map(({ kind, id }) => `${kind} ${id}`)

beforeAll(async () => {
  await database.asSuperuser((session) =>
    session.query(`create table shop (id int primary key, price numeric); select akashi_audit.protect('shop');
      insert into shop select i, i from generate_series(1, 12) i`),
  )
  await ledger.seal()
  const columns = Object.entries(auditLogs.columns).map(([name, form]) =>
    form === 'bytes'
      ? `encode(r.${name}, 'hex') as ${name}`
      : ['text[]', 'time', 'inet'].includes(form)
        ? `r.${name}`
        : `r.${name}::text`,
  )
  const { rows } = await worker.transaction(tester, (session) =>
    session.query<Record<string, string>>(
      `select e.position::text, ${columns.join(', ')} from akashi_audit.audit_logs r
       join akashi_audit.ledger_entries e on e.log = 'audit_logs' and e.row_id = r.id where r.table_name = 'shop' order by e.position`,
    ),
  )
  kept = rows.map(({ position = '', ...row }) => ({ position: BigInt(position), row }))
  expect(kept).toHaveLength(12)
  await database.asSuperuser(async (session) => {
    const { rows: guarded } = await session.query<{ name: string }>(
      "select tgrelid::regclass::text as name from pg_trigger where tgname = 'refuse_change' and tgrelid::regclass::text like 'akashi_audit.audit_logs%'",
    )
    for (const { name } of guarded) await session.query(`alter table ${name} disable trigger refuse_change`)
    await session.query("delete from akashi_audit.audit_logs where table_name = 'shop'")
    for (const { name } of guarded) {
      await session.query(`alter table ${name} enable always trigger refuse_change`)
    }
  })
})

describe('archived rows', () => {
  it('are reported as removed without an archive', async () => {
    expect(kinds(await ledger.problems())).toEqual(kept.map(({ row }) => `removed ${row['id']}`))
  })

  it('are checked in the archive', async () => {
    const report = await ledger.verify({ archived: archive() })
    expect(report.ok).toBe(true)
    const [log] = report.logs
    expect(log?.checked).toBe(Number(log?.size))
    expect(log).toMatchObject({ retired: 0, unread: [] })
  })

  it('are reported by position and id when changed', async () => {
    const target = kept[5]
    const problems = await ledger.problems({
      archived: archive({
        row: (each) => (each === target ? { ...each, row: { ...each.row, new_values: '{}' } } : each),
      }),
    })
    expect(problems).toMatchObject([
      { kind: 'changed', id: target?.row['id'], position: String(target?.position) },
    ])
  })

  it('are reported when reordered', async () => {
    const [a, , b] = kept
    const problems = await ledger.problems({
      archived: archive({
        row: (each) =>
          each === a ? { ...each, row: b?.row ?? {} } : each === b ? { ...each, row: a?.row ?? {} } : each,
      }),
    })
    expect(kinds(problems)).toEqual([`changed ${a?.row['id']}`, `changed ${b?.row['id']}`])
  })

  it('are reported when one is missing from its object', async () => {
    const target = kept[4]
    const problems = await ledger.problems({
      archived: archive({ row: (each) => (each === target ? null : each) }),
    })
    expect(kinds(problems)).toEqual(['removed object-0', `removed ${target?.row['id']}`])
  })

  it('are reported when an object has fewer rows than it was stored with', async () => {
    expect(kinds(await ledger.problems({ archived: archive({ declared: 1 }) }))).toEqual(['removed object-0'])
  })

  it('are reported one by one when their object is missing or was changed', async () => {
    for (const [code, kind] of [
      ['not_found', 'removed'],
      ['integrity', 'changed'],
    ] as const) {
      const problems = await ledger.problems({
        archived: archive({
          entries: () => {
            throw new AkashiError(code, 'so it is')
          },
        }),
      })
      expect(problems[0]).toMatchObject({ kind, id: 'object-0' })
      expect(problems).toHaveLength(1 + 6)
    }
  })

  it('are reported as unread, not as removed, while their object is frozen', async () => {
    const report = await ledger.verify({
      archived: archive({
        entries: () => {
          throw new AkashiError('unavailable', 'the object is frozen')
        },
      }),
    })
    expect(report.ok).toBe(true)
    expect(report.logs[0]?.unread).toMatchObject([{ object: 'object-0', reason: 'the object is frozen' }])
    expect(report.logs[0]?.checked).toBe(Number(report.logs[0]?.size) - 6)
  })
})
