import { expect, test } from 'vitest'
import { migrateDown, migrateUp, migrationStatus } from '../../src/postgres/index.ts'
import { emptyDatabase, MIGRATIONS } from '../support/index.ts'

const database = emptyDatabase()

test('all migrations go up, down and up again', async () => {
  const options = { url: database.url('owner'), directory: MIGRATIONS }
  const ids = await migrateUp(options)
  expect(ids.length).toBeGreaterThan(0)
  expect(await migrateUp(options)).toEqual([])
  expect(await migrateDown({ ...options, steps: ids.length, destroy: true })).toEqual(ids.toReversed())
  expect((await migrationStatus(options)).pending).toEqual(ids)
  expect(await migrateUp(options)).toEqual(ids)
})
