import { beforeAll, describe, expect, test } from 'vitest'
import { archiveStatus, athenaDdl, glueTable, outerTable, runArchive } from '../../src/lifecycle/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { insertEvents, storedObjects, testStore } from './support/archive.ts'

const database = testDatabase()
const worker = database.open('worker')
const ledger = testLedger(worker)
const cold = testStore()
const events = { schema: 'akashi_security', table: 'security_events' } as const

beforeAll(async () => {
  await insertEvents(worker, '2024-06-10', 10)
  await insertEvents(worker, '2025-01-02', 10)
  await ledger.seal()
  await runArchive(worker, tester, cold.store, { table: events })
})

const read = (location?: string) =>
  outerTable(worker, tester, cold.store, { ...events, ...(location === undefined ? {} : { location }) })

/** Folders that a projection makes of its properties, for one day. */
function projected(parameters: Record<string, string>, day: string): string {
  const [year, month, date] = day.split('-')
  const values: Record<string, string | undefined> = { year, month, day: date }
  return (parameters['storage.location.template'] ?? '').replaceAll(
    /\$\{(\w+)\}/g,
    (_, key) => values[key] ?? '',
  )
}

describe('a table as Glue and Athena see it', () => {
  test('has the columns of the files, which were compared', async () => {
    const table = await read('s3://bucket/prefix/')
    expect(table.checked).toBe(2)
    expect(table.columns.slice(0, 3)).toEqual([
      { name: 'akashi_position', type: 'bigint' },
      { name: 'id', type: 'string' },
      { name: 'created_at', type: 'timestamp' },
    ])
    const strings = ['event_type', 'description', 'user_id', 'user_name', 'external_user_id', 'source_ip']
    strings.push('user_agent', 'tenant_id', 'tenant_name', 'client_id', 'client_name', 'event_details')
    for (const name of strings) expect(table.columns).toContainEqual({ name, type: 'string' })
    expect(table.columns).toContainEqual({ name: 'salt', type: 'binary' })
    expect(table.columns).toContainEqual({ name: 'ocsf_class_uid', type: 'int' })
    expect([table.firstYear, table.monthly]).toEqual([2024, false])
    expect(table.lastYear).toBeGreaterThan(new Date().getUTCFullYear() + 5)
  })

  test('projects exactly the folders that the archive wrote', async () => {
    const { Parameters } = glueTable(await read('store:')) as { Parameters: Record<string, string> }
    const folders = new Set((await storedObjects(cold.store)).map((key) => key.replace(/[^/]+$/, '')))
    expect(folders).toEqual(
      new Set(['2024-06-10', '2025-01-02'].map((day) => projected(Parameters, day).replace('store:/', ''))),
    )
    expect(Parameters).toMatchObject({
      'projection.month.digits': '2',
      'projection.day.range': '1,31',
      'projection.day.digits': '2',
    })
  })

  test('months have one folder each, of their first day', async () => {
    const table = await outerTable(worker, tester, cold.store, {
      schema: 'akashi_audit',
      table: 'audit_logs',
    })
    expect(glueTable(table)).toMatchObject({
      Parameters: { 'projection.day.type': 'enum', 'projection.day.values': '01' },
    })
    expect(table.columns).toContainEqual({ name: 'changed_fields', type: 'array<string>' })
  })

  test('is one statement of Athena', async () => {
    const ddl = athenaDdl(await read('s3://bucket'), 'idp_archive')
    expect(ddl).toMatch(
      /^CREATE EXTERNAL TABLE `idp_archive`\.`security_events` \(\n {2}`akashi_position` bigint,\n/,
    )
    expect(ddl).toContain("'akashi.data_residency' = 'ap-northeast-1'")
    expect(ddl).toContain('PARTITIONED BY (`year` string, `month` string, `day` string)')
    expect(ddl).toContain('STORED AS PARQUET')
    expect(ddl).toContain("LOCATION 's3://bucket/archive/akashi_security/security_events/'")
    expect(ddl.match(/;/g)).toHaveLength(1)
  })
})

test('a file with another column is named', async () => {
  const [first] = await archiveStatus(worker, tester, { table: events })
  await database.asSuperuser((session) =>
    session.query('alter table akashi_security.security_events rename column tenant_name to tenant_label'),
  )
  await expect(read()).rejects.toMatchObject({
    code: 'integrity',
    message: expect.stringMatching(/tenant_name is string, not there/),
  })
  await database.asSuperuser((session) =>
    session.query('alter table akashi_security.security_events rename column tenant_label to tenant_name'),
  )
  expect(first?.partition).toBe('security_events_p20240610')
})

test('a table without a policy is refused', async () => {
  await expect(
    outerTable(worker, tester, cold.store, { schema: 'akashi_auth', table: 'users' }),
  ).rejects.toMatchObject({
    code: 'not_found',
  })
})
