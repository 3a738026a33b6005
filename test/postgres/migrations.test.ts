import { existsSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { dumpSchema } from '../../scripts/schema-dump/index.ts'
import { migrateDown, migrateUp, migrationStatus, openDatabase } from '../../src/postgres/index.ts'
import {
  MIGRATIONS,
  POSTGRES_15,
  startLocalServer,
  startThrowaway,
  type ThrowawayServer,
} from '../support/index.ts'

/** Servers of their own: without another database of the same cluster the roles go as well. */
const servers = [
  { name: 'the embedded server', start: startThrowaway, present: true },
  {
    name: 'PostgreSQL 15 (skipped where it is not installed)',
    start: () => startLocalServer(POSTGRES_15),
    present: process.env['CI'] === 'true' || existsSync(POSTGRES_15),
  },
]

describe.each(servers)('on $name', ({ start, present }) => {
  describe.skipIf(!present)('all migrations', () => {
    let server: ThrowawayServer

    beforeAll(async () => {
      server = await start()
    })
    afterAll(() => server.stop())

    test('go up, down and up again, and leave nothing behind', async () => {
      const options = { url: server.url('postgres'), directory: MIGRATIONS }
      const database = openDatabase({ url: options.url, role: 'owner' })
      const dump = () => database.direct(dumpSchema)
      const empty = await dump()
      const ids = await migrateUp(options)
      expect(ids.length).toBeGreaterThan(0)
      const built = await dump()
      expect(built).toContain('create table akashi_lifecycle.settings')
      expect(await migrateUp(options)).toEqual([])

      expect(await migrateDown({ ...options, steps: ids.length, destroy: true })).toEqual(ids.toReversed())
      expect((await migrationStatus(options)).pending).toEqual(ids)
      await database.direct((session) => session.query('drop schema akashi_lifecycle cascade'))
      expect(await dump()).toBe(empty)

      expect(await migrateUp(options)).toEqual(ids)
      expect(await dump()).toBe(built)
      await database.close()
    })
  })
})
