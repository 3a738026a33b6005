import { expect, it } from 'vitest'
import { en } from '../../web/src/i18n/en.ts'
import { testDatabase } from '../support/index.ts'

const database = testDatabase()

it('the record of a person has a name for every table of Akashi that is under audit', async () => {
  const { rows } = await database.asSuperuser((session) =>
    session.query<{ name: string }>(
      "select replace(schema_name, 'akashi_', '') || '_' || table_name as name from akashi_audit.protected_tables order by 1",
    ),
  )
  expect(rows.length).toBeGreaterThan(0)
  expect(rows.map(({ name }) => name).filter((name) => !(name in en.activity.things))).toEqual([])
})
