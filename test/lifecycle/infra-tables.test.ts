/** The tables and rules of infra/ are those that `akashi ddl` prints. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { glueTable, outerTable } from '../../src/lifecycle/index.ts'
import { s3Lifecycle } from '../../src/object-store/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testStore } from './support/archive.ts'

const worker = testDatabase().open('worker')
const cold = testStore()

function written(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`../../infra/lib/archive/${name}.json`, import.meta.url), 'utf8'))
}

/** Without what the infrastructure takes from its own parameters: bucket, region and years. */
async function printed(schema: string, table: string): Promise<unknown> {
  const outer = await outerTable(worker, tester, cold.store, { schema, table, location: 's3://bucket/' })
  const document = JSON.parse(JSON.stringify(glueTable(outer)).replaceAll('s3://bucket/', ''))
  const { 'akashi.data_residency': _region, 'projection.year.range': years, ...rest } = document.Parameters
  expect(years).toMatch(/^\d{4},\d{4}$/)
  return { ...document, Parameters: rest }
}

test('every archived table, column by column', async () => {
  const { rows } = await worker.transaction(tester, (session) =>
    session.query<{ schema: string; table: string }>(
      `select schema_name as schema, table_name as "table" from akashi_lifecycle.policies
       where at_expiry = 'archive' order by table_name`,
    ),
  )
  const documents = []
  for (const { schema, table } of rows) documents.push(await printed(schema, table))
  expect(written('tables')).toEqual(documents)
})

test('the rules of the bucket', () => {
  expect(written('lifecycle')).toEqual(JSON.parse(JSON.stringify(s3Lifecycle('', []))))
})
