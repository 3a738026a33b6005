import { expect, test } from 'vitest'
import { dumpSchema } from '../../scripts/schema-dump/index.ts'
import { migrateDown, migrateUp, migrationStatus } from '../../src/postgres/index.ts'
import { emptyDatabase, MIGRATIONS } from '../support/index.ts'

const database = emptyDatabase()

test('all migrations go up, down and up again, and leave nothing behind', async () => {
  const options = { url: database.url('owner'), directory: MIGRATIONS }
  const dump = () => database.asSuperuser(dumpSchema)
  const empty = await dump()
  const ids = await migrateUp(options)
  expect(ids.length).toBeGreaterThan(0)
  const built = await dump()
  expect(built).toContain('create table lifecycle.settings')
  expect(await migrateUp(options)).toEqual([])

  expect(await migrateDown({ ...options, steps: ids.length, destroy: true })).toEqual(ids.toReversed())
  expect((await migrationStatus(options)).pending).toEqual(ids)
  await database.asSuperuser((session) => session.query('drop schema lifecycle cascade'))
  expect(await dump()).toBe(empty)

  expect(await migrateUp(options)).toEqual(ids)
  expect(await dump()).toBe(built)
})
