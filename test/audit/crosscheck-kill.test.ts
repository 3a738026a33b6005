import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { listGaps } from '../../src/audit/index.ts'
import { testCrosscheck } from '../support/crosscheck.ts'
import { testDatabase, tester } from '../support/index.ts'
import { random } from '../support/random.ts'

const LONG = process.env['AKASHI_LONG'] === '1'
const KILLS = LONG ? 100 : 6
/** Longest life of a process, in milliseconds. */
const LIFE_MS = 900

const database = testDatabase()
const check = testCrosscheck(database)

it('misses and repeats nothing when its process is killed at any moment', {
  timeout: LONG ? 1_800_000 : 240_000,
}, async () => {
  await database.asSuperuser(async (session) => {
    await session.query(
      "create table victim (id int primary key, v text); select akashi_audit.protect('victim'); insert into victim select g, 'v' from generate_series(1, 100000) g",
    )
  })
  expect(await check.found()).toEqual([])
  await check.stop()
  const next = random(7)
  let bypasses = 0
  const writing = new AbortController()
  const writer = database.asSuperuser(async (session) => {
    while (!writing.signal.aborted) {
      bypasses += 1
      await session.query(`update victim set v = 'recorded' where id = ${50_000 + bypasses}`)
      await session.query(`begin; alter table victim disable trigger akashi_audit_update; update victim set v = 'past' where id = ${bypasses};
        alter table victim enable always trigger akashi_audit_update; commit`)
      await sleep(20)
    }
  })
  for (let kill = 0; kill < KILLS; kill += 1) {
    const child = spawn(
      process.execPath,
      [
        join(import.meta.dirname, '../support/crosscheck-child.ts'),
        database.url('worker'),
        database.url('backup'),
        check.keys,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    await once(child.stdout, 'data')
    await sleep(next() * LIFE_MS)
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  writing.abort()
  await writer
  check.start()
  await check.found()
  const { rows } = await database.asSuperuser((session) =>
    session.query<{ id: string; events: number }>(
      `select d.record_id as id, (select count(*)::int from akashi_security.security_events e
         where e.event_type = 'crosscheck_discrepancy' and e.event_details ->> 'id' = d.id::text) as events
       from akashi_audit.crosscheck_discrepancies d where d.kind = 'unrecorded' order by d.record_id::int`,
    ),
  )
  expect(rows).toEqual(Array.from({ length: bypasses }, (_, n) => ({ id: String(n + 1), events: 1 })))
  expect(await listGaps(check.worker, tester)).toEqual([])
})
