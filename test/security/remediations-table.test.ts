import { expect, it } from 'vitest'
import { describeTable } from '../support/catalog.ts'
import { testDatabase } from '../support/index.ts'

const database = testDatabase()

it('remediations have the columns and indexes of the requirements', async () => {
  const table = await database.asSuperuser((session) =>
    describeTable(session, 'akashi_security.remediations'),
  )
  expect(table.columns).toMatchObject({
    security_hub_id: 'character varying(255)',
    remediation_status: "character varying(20) not null = 'open'::character varying",
    remediation_notes: 'text',
    resolved_at: 'timestamp with time zone',
  })
  expect(table.indexes).toEqual(
    expect.arrayContaining([
      'btree (remediation_status, severity)',
      'btree (security_hub_id) WHERE (security_hub_id IS NOT NULL)',
    ]),
  )
})

it('results of hooks name the event, the hook and the attempt', async () => {
  const table = await database.asSuperuser((session) =>
    describeTable(session, 'akashi_security.security_event_hook_results'),
  )
  expect(table.columns).toMatchObject({
    event_id: 'uuid not null',
    hook_name: 'character varying(100) not null',
    attempt: 'integer not null = 1',
    result: 'character varying(20) not null',
  })
  expect(table.foreignKeys).toEqual([])
})
