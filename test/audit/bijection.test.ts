import { describe, expect, it } from 'vitest'
import type { ArchivedObject, ArchivedRows, Problem } from '../../src/audit/index.ts'
import { scrub, verifierKeys } from '../../src/audit/index.ts'
import { AkashiError } from '../../src/foundation/index.ts'
import type { DirectSession } from '../../src/postgres/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { insideOf, withoutGuards } from '../support/tamper.ts'

const database = testDatabase()
const worker = database.open('worker')
const ledger = testLedger(worker)

/** What a full verification and a scrub find in the middle of a transaction that is taken back. */
async function found(
  work: (session: DirectSession) => Promise<unknown>,
  archived?: ArchivedRows,
): Promise<{ full: Problem[]; scrubbed: Problem[] }> {
  return await database.asSuperuser(async (session) => {
    await session.query('begin')
    await withoutGuards(session)
    await work(session)
    const inside = insideOf(session)
    const options = {
      verifierKeys: verifierKeys(ledger.keyring),
      catalog: false,
      ...(archived === undefined ? {} : { archived }),
    }
    const all = (await ledger.problems(options, inside)).filter(ofRows)
    // A scrub remembers what it hashed, which goes with the transaction.
    const part = await scrub(inside, tester, options)
    await session.query('rollback')
    return {
      full: all,
      scrubbed: part.logs.flatMap(({ problems }) => problems).filter(ofRows),
    }
  })
}

/** Of the rows: that the guards are off is what the other tests look for. */
const ofRows = ({ kind }: Problem) => kind !== 'trigger'

const named = (problems: Problem[]) => problems.map(({ kind, id }) => `${kind} ${id}`)

async function trailIds(): Promise<string[]> {
  const { rows } = await worker.transaction(tester, (session) =>
    session.query<{ id: string }>(
      "select id from akashi_audit.audit_logs where table_name = 'shop' order by seq",
    ),
  )
  return rows.map(({ id }) => id)
}

const dropKey = 'alter table akashi_audit.audit_logs drop constraint audit_logs_pkey'
const copy = 'insert into akashi_audit.audit_logs select * from akashi_audit.audit_logs where id = $1'

describe('rows and entries correspond one to one', () => {
  it('starts from a clean ledger', async () => {
    await database.asSuperuser((session) =>
      session.query(`create table shop (id int primary key); select akashi_audit.protect('shop');
        insert into shop select generate_series(1, 20)`),
    )
    await ledger.seal()
    expect(await ledger.problems()).toEqual([])
  })

  it('reports a duplicate row after the key was dropped', async () => {
    const [id = ''] = await trailIds()
    const { full, scrubbed } = await found(async (session) => {
      await session.query(dropKey)
      await session.query(copy, [id])
    })
    expect(named(full)).toEqual([`added ${id}`])
    expect(named(scrubbed)).toEqual([`added ${id}`])
  })

  it('reports both rows when a duplicate compensates for a missing one', async () => {
    const [copied = '', lost = ''] = await trailIds()
    const { full, scrubbed } = await found(async (session) => {
      await session.query(dropKey)
      await session.query(copy, [copied])
      // Rows of a published table without a key cannot be deleted.
      await session.query('alter publication akashi_crosscheck drop table akashi_audit.audit_logs')
      await session.query('delete from akashi_audit.audit_logs where id = $1', [lost])
    })
    expect(named(full).sort()).toEqual([`added ${copied}`, `removed ${lost}`])
    expect(named(scrubbed).sort()).toEqual([`added ${copied}`, `removed ${lost}`])
  })

  it('reports a duplicate entry, which would hide the entries after it', async () => {
    const { full, scrubbed } = await found(async (session) => {
      await session.query('alter table akashi_audit.ledger_entries drop constraint ledger_entries_pkey')
      await session.query(
        "insert into akashi_audit.ledger_entries select * from akashi_audit.ledger_entries where log = 'audit_logs' and position = 3",
      )
    })
    expect(full).toContainEqual(
      expect.objectContaining({
        kind: 'added',
        position: '3',
        detail: 'the ledger has 2 entries at position 3',
      }),
    )
    expect(scrubbed).toContainEqual(expect.objectContaining({ kind: 'added', position: '3' }))
  })
})

describe('an archived object that cannot be read', () => {
  /** One frozen object that was stored with `rows` rows of a range of time. */
  const frozen = (from: string, to: string, rows: bigint): ArchivedRows => {
    const object: ArchivedObject = {
      name: 'frozen',
      partition: 'akashi_audit.audit_logs_2001_01',
      rows,
      from: new Date(from),
      to: new Date(to),
      firstPosition: 0n,
      lastPosition: 1_000n,
    }
    return {
      objects: async (log) => (log === 'audit_logs' ? [object] : []),
      // biome-ignore lint/correctness/useYield: nothing can be read
      async *entries() {
        throw new AkashiError('unavailable', 'it is frozen')
      },
    }
  }
  const remove = (ids: readonly string[]) => (session: DirectSession) =>
    session.query('delete from akashi_audit.audit_logs where id = any ($1)', [ids])

  it('accounts for no row of another time range within its positions', async () => {
    const [id = ''] = await trailIds()
    const archived = frozen('2001-01-01T00:00:00Z', '2001-02-01T00:00:00Z', 5n)
    const { full, scrubbed } = await found(remove([id]), archived)
    expect(named(full)).toEqual([`removed ${id}`])
    expect(named(scrubbed)).toEqual([`removed ${id}`])
  })

  it('accounts for as many rows of its time range as it has', async () => {
    const ids = (await trailIds()).slice(0, 3)
    const whole = ['2001-01-01T00:00:00Z', '9001-01-01T00:00:00Z'] as const
    expect(await found(remove(ids), frozen(...whole, 3n))).toEqual({ full: [], scrubbed: [] })
    const { full, scrubbed } = await found(remove(ids), frozen(...whole, 2n))
    expect(named(full)).toEqual(['removed frozen'])
    expect(full[0]?.detail).toMatch(/stored with 2 rows, but 1 more entries/)
    expect(named(scrubbed)).toEqual(['removed frozen'])
  })
})
