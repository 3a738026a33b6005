import { expect, test } from 'vitest'
import { drillState, listDrills } from '../../src/operations/index.ts'
import { testDatabase, tester } from '../support/index.ts'

const database = testDatabase()
const worker = database.open('worker')

async function addDrill(ok: boolean, ago: string): Promise<void> {
  await database.asSuperuser((session) =>
    session.query(
      `insert into akashi_lifecycle.drills (system_id, started_at, finished_at, ok, phases, problems, object, note)
       values ('1', now() - $2::interval, now() - $2::interval, $1, '[]', $3, 'drills/1/a', 'note')`,
      [ok, ago, ok ? [] : ['damaged']],
    ),
  )
}

test('a drill that is missed is told, until one has passed', async () => {
  expect(await drillState(worker, tester)).toMatchObject({ lastOk: true, missed: false })
  await addDrill(true, '40 days')
  await addDrill(false, '2 days')
  expect(await drillState(worker, tester)).toMatchObject({ lastOk: false, missed: true })
  await addDrill(true, '1 hour')
  expect(await drillState(worker, tester)).toMatchObject({ lastOk: true, missed: false })
  expect((await listDrills(worker, tester)).map(({ ok }) => ok)).toEqual([true, false, true])
})

test('a report of a drill is never changed or removed by the worker', async () => {
  const change = (text: string) => worker.transaction(tester, (session) => session.query(text))
  await expect(change('update akashi_lifecycle.drills set ok = true')).rejects.toMatchObject({
    code: 'forbidden',
  })
  await expect(change('delete from akashi_lifecycle.drills')).rejects.toMatchObject({ code: 'forbidden' })
})
