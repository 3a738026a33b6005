/** Alarms are made to fire by what they are raised for, open, and clear when it has ended. */
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { watchSealing } from '../../src/audit/index.ts'
import { applyPartitions, listPolicies, setPolicy } from '../../src/lifecycle/index.ts'
import {
  type AlarmParts,
  acknowledgeAlarm,
  type ConditionName,
  openAlarms,
  watchAlarms,
} from '../../src/operations/index.ts'
import { operator } from '../../src/postgres/index.ts'
import { testKeyring } from '../identity/support.ts'
import { testStore } from '../lifecycle/support/archive.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { keepingLog } from './keeping-log.ts'

const TIMEOUT_MS = 120_000
const DAY_MS = 86_400_000
const database = testDatabase()
const worker = database.open('worker')
const keys = testKeyring()
const place = testStore()
const ledger = testLedger(worker)
const log = keepingLog()
let folder = ''
let changes: Partial<AlarmParts> = {}

const ask = async <R>(text: string, values: unknown[] = []) =>
  (await database.asSuperuser((session) => session.query<R>(text, values))).rows
const set = (key: string, value: number) =>
  ask('update akashi_lifecycle.settings set value = to_jsonb($2::integer) where key = $1', [key, value])

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'akashi-alarms-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const round = (now?: Date) =>
  watchAlarms(
    {
      worker,
      store: place.store,
      keyring: keys.keyring,
      data: folder,
      folder,
      certificates: async () => [],
      log,
      ...changes,
    },
    tester,
    now === undefined ? {} : { now },
  )

/** Two rounds, with what was seen in the first taken to be a day ago. */
async function hold(now?: Date) {
  await round(now)
  await ask(
    `update akashi_lifecycle.alarms set began_at = began_at - interval '1 day' where opened_at is null`,
  )
  return await round(now)
}

const standing = async () =>
  (await openAlarms(worker, tester)).map(({ condition, subject }) =>
    subject === '' ? condition : `${condition}/${subject}`,
  )

interface Case {
  readonly name: string
  make(): Promise<unknown> | unknown
  undo(): Promise<unknown> | unknown
}

const addRun = (job: string, state: 'done' | 'failed', ago: string, result: object = {}) =>
  ask(
    `insert into akashi_lifecycle.job_runs (job, due_at, started_at, finished_at, state, worker, message, result)
     values ($1, now() - $3::interval, now() - $3::interval, now() - $3::interval, $2, 'test', 'a message', $4)`,
    [job, state, ago, JSON.stringify(result)],
  )

const created = (job: string, ago: string) =>
  ask('update akashi_lifecycle.jobs set created_at = now() - $2::interval where name = $1', [job, ago])

let ending: () => void = () => undefined
let ended: Promise<unknown> = Promise.resolve()

/** A session with an open transaction that has an id, and then one statement that runs until it is cancelled. */
function longTransaction(): Promise<void> {
  const begun = Promise.withResolvers<void>()
  ended = database
    .asSuperuser(async (session) => {
      await session.query('begin')
      const { rows } = await session.query<{ pid: number }>(
        'select pg_backend_pid() as pid, pg_current_xact_id()',
      )
      ending = () => void ask('select pg_cancel_backend($1)', [rows[0]?.pid])
      begun.resolve()
      await session.query('select pg_sleep(100)')
    })
    .catch(() => undefined)
  return begun.promise
}

async function deadlock(): Promise<void> {
  await ask('create table public.locked as select n from generate_series(1, 2) n')
  const both = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const
  const lock = (first: 1 | 2, second: number) =>
    database
      .asSuperuser(async (session) => {
        await session.query('begin')
        await session.query('update public.locked set n = n where n = $1', [first])
        both[first - 1]?.resolve()
        await Promise.all(both.map(({ promise }) => promise))
        await session.query('update public.locked set n = n where n = $1', [second])
        await session.query('commit')
      })
      .catch(() => undefined)
  await Promise.all([lock(1, 2), lock(2, 1)])
  await ask('select pg_stat_clear_snapshot()')
}

const cases: readonly Case[] = [
  {
    name: 'connections',
    make: () => set('alarm.connections_percent', 1),
    undo: () => set('alarm.connections_percent', 99),
  },
  { name: 'disk', make: () => set('disk.max_used_percent', 1), undo: () => set('disk.max_used_percent', 99) },
  {
    name: 'data_not_writable',
    make: () => {
      changes = { ...changes, folder: join(folder, 'gone') }
    },
    undo: () => {
      changes = { ...changes, folder }
    },
  },
  {
    name: 'deadlock',
    make: deadlock,
    undo: () => ask(`update akashi_lifecycle.alarm_counters set risen_at = null where name = 'deadlocks'`),
  },
  {
    name: 'slow_statement',
    make: () => set('alarm.statement_seconds', 1),
    undo: async () => {
      ending()
      await ended
    },
  },
  { name: 'frontier_held', make: () => set('alarm.frontier_seconds', 1), undo: () => ended },
  {
    name: 'checkpoint_not_published',
    make: () => created('publish-checkpoints', '1 day'),
    undo: () => addRun('publish-checkpoints', 'done', '0'),
  },
  {
    name: 'verification_overdue',
    make: () => created('verify-incremental', '9 days'),
    undo: () => created('verify-incremental', '0'),
  },
  {
    name: 'witness_silent/w.example',
    make: () =>
      ask(
        `insert into akashi_audit.witnesses (name, url, verifier_key) values ('w.example', 'http://127.0.0.1:1', 'k')`,
      ),
    undo: () => ask('delete from akashi_audit.witnesses'),
  },
  {
    name: 'crosscheck_discrepancy',
    make: () =>
      ask('select akashi_audit.record_discrepancies($1)', [
        JSON.stringify([
          {
            kind: 'state',
            place: 'state/1',
            schema_name: 'public',
            table_name: 't',
            record_id: '1',
            detail: 'differs',
          },
        ]),
      ]),
    undo: () => ask(`select akashi_audit.settle_discrepancies('a test')`),
  },
  {
    name: 'crosscheck_gap',
    make: () => ask(`select akashi_audit.begin_gap('slot_lost', 'the slot was dropped', '0/1', '0/2')`),
    undo: () => ask(`select akashi_audit.settle_discrepancies('a test')`),
  },
  {
    name: 'partition_headroom/akashi_auth.login_attempts',
    make: async () => {
      const rows = await ask<{ name: string }>(
        `select i.inhrelid::regclass::text as name from pg_inherits i
         cross join lateral akashi_lifecycle.partition_bounds(i.inhrelid::regclass) b
         where i.inhparent = 'akashi_auth.login_attempts'::regclass and b.lower > now()`,
      )
      for (const { name } of rows) await ask(`drop table ${name}`)
    },
    undo: () => applyPartitions(worker, tester),
  },
  {
    name: 'store_away',
    make: () => {
      changes = {
        ...changes,
        store: { ...place.store, head: () => Promise.reject(new Error('no route to it')) },
      }
    },
    undo: () => {
      changes = { ...changes, store: place.store }
    },
  },
  {
    name: 'store_not_owned',
    make: () => ask('select akashi_lifecycle.set_store_ownership($1, null)', [randomUUID()]),
    undo: () => ask('select akashi_lifecycle.set_store_ownership($1, 1)', [randomUUID()]),
  },
  {
    name: 'restorable_stands_still',
    make: () =>
      addRun('backup-watch', 'done', '1 minute', {
        restorableTo: new Date(Date.now() - DAY_MS).toISOString(),
      }),
    undo: () => addRun('backup-watch', 'done', '0', { restorableTo: new Date().toISOString() }),
  },
  {
    name: 'backup_age',
    make: () => addRun('backup-full', 'done', '30 hours'),
    undo: () => addRun('backup-full', 'done', '0'),
  },
  {
    name: 'drill_failed',
    make: () =>
      ask(`insert into akashi_lifecycle.drills (system_id, started_at, finished_at, ok, phases, problems, object, note)
           values ('1', now() - interval '1 hour', now() - interval '1 hour', false, '[]', '{damaged}', 'a', 'note')`),
    undo: () =>
      ask(`insert into akashi_lifecycle.drills (system_id, started_at, finished_at, ok, phases, problems, object, note)
           values ('1', now(), now(), true, '[]', '{}', 'b', 'note')`),
  },
  { name: 'drill_age', make: () => created('backup-drill', '40 days'), undo: () => undefined },
  {
    name: 'recovery_test_age',
    make: () => created('backup-recovery-test', '300 days'),
    undo: () => created('backup-recovery-test', '0'),
  },
  {
    name: 'job_failed/verify',
    make: () => addRun('verify', 'failed', '1 minute'),
    undo: () => addRun('verify', 'done', '0'),
  },
  {
    name: 'job_missed/forgotten',
    make: () =>
      ask(`insert into akashi_lifecycle.jobs (name, schedule, task, description, updated_at)
           values ('forgotten', '* * * * *', 'test.none', 'nobody runs it', now() - interval '1 hour')`),
    undo: () => ask(`delete from akashi_lifecycle.jobs where name = 'forgotten'`),
  },
  {
    name: 'losses/public.orders INSERT',
    make: () =>
      ask(`insert into akashi_audit.losses (schema_name, table_name, operation, row_count, sqlstate, message)
           values ('public', 'orders', 'INSERT', 3, '53100', 'disk full')`),
    undo: () => ask(`select akashi_audit.settle_losses('a test')`),
  },
  {
    name: 'login_failures',
    make: async () => {
      await set('alarm.login_failures', 1)
      await ask(`insert into akashi_auth.login_attempts (method, result, failure_reason)
                 select 'password', 'failure', 'wrong' from generate_series(1, 3)`)
    },
    undo: () => set('alarm.login_failures', 1_000_000),
  },
  {
    name: 'certificate_expiry/the database',
    make: () => {
      const soon = { of: 'the database', name: 'db.example', validTo: new Date(Date.now() + 3 * DAY_MS) }
      changes = { ...changes, certificates: async () => [soon] }
    },
    undo: () => {
      changes = { ...changes, certificates: async () => [] }
    },
  },
]

test(
  'each opens when its condition holds, and clears when it has ended',
  async () => {
    await ledger.seal()
    await round()
    await longTransaction()
    for (const { make } of cases) await make()
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    await hold()
    const open = await standing()
    const names = (name: string) => name.split('/')[0]
    const missing = cases.filter(({ name }) => !open.some((each) => each === name || names(each) === name))
    expect(missing.map(({ name }) => name)).toEqual([])
    const [held] = (await openAlarms(worker, tester)).filter(({ condition }) => condition === 'frontier_held')
    expect(held?.detail).toMatch(/process \d+ .* holds the frontier for \d+ s/)
    for (const { undo } of cases) await undo()
    await round()
    const left = await standing()
    const stays = cases.filter(({ name }) => left.some((each) => each === name || names(each) === name))
    expect(stays.map(({ name }) => name)).toEqual([])
    const told = await ask<{ type: string; count: number }>(
      `select event_type as type, count(*)::integer as count from akashi_security.security_events
       where event_type like 'alarm\\_%' group by 1 order by 1`,
    )
    expect(told.map(({ type }) => type)).toEqual(['alarm_cleared', 'alarm_opened'])
    expect(told[0]?.count).toBeGreaterThanOrEqual(cases.length)
    expect(log.lines.filter((line) => JSON.stringify(line).includes('could not be checked'))).toEqual([])
  },
  TIMEOUT_MS,
)

let letGo: () => void = () => undefined
let holding: Promise<unknown> = Promise.resolve()

/** A login that is no worker takes the lock of the sealer. */
function takeLeaderLock(): Promise<void> {
  const taken = Promise.withResolvers<void>()
  const end = Promise.withResolvers<void>()
  letGo = end.resolve
  holding = database.open('reader').direct(async (session) => {
    await session.query(`select pg_advisory_lock(hashtextextended('akashi.loop/seal', 0))`)
    taken.resolve()
    await end.promise
  })
  return taken.promise
}

const EVENTS = { schema: 'akashi_security', table: 'security_events' } as const
let formerTotal = ''
const scrubbed = (ago: string) =>
  ask(
    `insert into akashi_audit.ledger_scrubs (log, unit, checked_at) values ('audit_logs', 'slice/000000000000', now() - $1::interval)
     on conflict (log, unit) do update set checked_at = excluded.checked_at`,
    [ago],
  )
const verified = (ok: boolean) =>
  ask(
    `insert into akashi_audit.verifications (started_at, ok, report) values (now(), $1, '{"logs": [{"problems": ["changed"]}]}')`,
    [ok],
  )
/** What the watch of the ledger reports; that it finds these is shown in its own tests. */
const reported = (kind: string, problems: readonly object[]) =>
  worker.transaction(tester, (session) =>
    session.query(`select akashi_audit.watch_alarms($1, 'critical', $2)`, [kind, JSON.stringify(problems)]),
  )

const recordCases: readonly Case[] = [
  {
    name: 'leader_lock',
    make: takeLeaderLock,
    undo: async () => {
      letGo()
      await holding
    },
  },
  {
    name: 'seal_lag',
    // Nobody seals in this test; transactions of other tests on the server may hold the frontier for a while.
    make: () => expect.poll(() => watchSealing(worker, tester, { stalledMs: 200 })).not.toEqual([]),
    undo: async () => {
      await ledger.seal()
      await reported('ledger_not_sealed', [])
    },
  },
  {
    name: 'ledger_watch',
    make: () => reported('audit_trigger_disabled', [{ subject: 'public.orders', detail: 'is disabled' }]),
    undo: () => reported('audit_trigger_disabled', []),
  },
  {
    name: 'witness_conflict',
    make: () => reported('witness_conflict', [{ subject: 'w.example', detail: 'another history' }]),
    undo: () => reported('witness_conflict', []),
  },
  { name: 'verification_failed', make: () => verified(false), undo: () => verified(true) },
  { name: 'oldest_unchecked', make: () => scrubbed('60 days'), undo: () => scrubbed('0') },
  {
    name: 'retention_shortened',
    make: async () => {
      const policy = (await listPolicies(worker, tester)).find(
        ({ table }) => table === `${EVENTS.schema}.${EVENTS.table}`,
      )
      formerTotal = String(policy?.total)
      await setPolicy(worker, tester, EVENTS, { total: '400 days' }, 'a test')
    },
    undo: () => setPolicy(worker, tester, EVENTS, { total: formerTotal }, 'a test'),
  },
]

test(
  'what is watched of the record opens and clears in the same way',
  async () => {
    await ledger.seal()
    await ask(`insert into akashi_audit.losses (schema_name, table_name, operation, row_count, sqlstate, message)
               values ('public', 'orders', 'INSERT', 1, '53100', 'disk full')`)
    await ask(`select akashi_audit.settle_losses('a test')`)
    const open = async () => {
      await round()
      return new Set((await openAlarms(worker, tester)).map(({ condition }) => condition))
    }
    for (const { make } of recordCases) await make()
    const standingNow = await open()
    expect(
      recordCases.filter(({ name }) => !standingNow.has(name as ConditionName)).map(({ name }) => name),
    ).toEqual([])
    for (const { undo } of recordCases) await undo()
    const left = await open()
    expect(recordCases.filter(({ name }) => left.has(name as ConditionName)).map(({ name }) => name)).toEqual(
      [],
    )
  },
  TIMEOUT_MS,
)

test('whoever acknowledges an alarm is named as themselves, not by the login', async () => {
  const alice = operator({ account: 'alice', command: 'akashi alarms acknowledge' })
  const [{ id } = { id: '' }] = await ask<{ id: string }>(
    `insert into akashi_lifecycle.alarms (condition, subject, severity, detail, opened_at)
     values ('disk', 'acknowledged', 'low', 'x', now()) returning id`,
  )
  await acknowledgeAlarm(worker, alice, id, 'on it')
  const unsigned = database.open('worker', { contextKey: undefined as never })
  const named = () =>
    ask<{ by: string }>('select acknowledged_by as by from akashi_lifecycle.alarms where id = $1', [id])
  expect(await named()).toEqual([{ by: 'operator:alice' }])
  // A name that nobody vouches for is not written.
  await acknowledgeAlarm(unsigned, alice, id, undefined)
  expect(await named()).toEqual([{ by: 'akashi_worker' }])
})

test('a clock that differs from that of the database, and a key that is late', async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  try {
    vi.setSystemTime(Date.now() + 30_000)
    expect((await round()).found.map(({ condition }) => condition)).toContain('clock_skew')
  } finally {
    vi.useRealTimers()
  }
  expect((await round()).found.map(({ condition }) => condition)).not.toContain('clock_skew')
  const late = await round(new Date(Date.now() + 400 * DAY_MS))
  expect(late.found).toContainEqual(expect.objectContaining({ condition: 'key_age', subject: 'wrapping' }))
})

test('what cannot be looked at leaves its alarms as they are', async () => {
  await set('disk.max_used_percent', 1)
  await hold()
  expect(await standing()).toContain('disk')
  const failing = { condition: 'certificate_expiry' as ConditionName }
  changes = { certificates: () => Promise.reject(new Error('not now')) }
  const { lookedAt } = await round()
  expect(lookedAt).not.toContain(failing.condition)
  expect(lookedAt).toContain('disk')
  changes = {}
})
