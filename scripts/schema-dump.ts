/**
 * Writes migrations/schema.sql and migrations/catalog.json as the migrations build it on the embedded server; with
 * --check it writes nothing and exits 1 if a file is stale.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { manifestText, readCatalog } from '../src/audit/index.ts'
import { migrateUp, openDatabase } from '../src/postgres/index.ts'
import { startThrowaway } from '../test/support/embedded-server.ts'
import { dumpSchema } from './schema-dump/index.ts'

const directory = fileURLToPath(new URL('../migrations', import.meta.url))

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } })
for (const [name, built] of Object.entries(await build())) {
  const file = `${directory}/${name}`
  if (!values.check) {
    await writeFile(file, built)
  } else if ((await readFile(file, 'utf8').catch(() => '')) !== built) {
    console.error(
      `error: migrations/${name} does not match the migrations\nhint: node scripts/schema-dump.ts`,
    )
    process.exitCode = 1
  }
}

async function build(): Promise<Readonly<Record<string, string>>> {
  const server = await startThrowaway()
  const url = server.url('postgres')
  const database = openDatabase({ url, role: 'owner' })
  try {
    await migrateUp({ url, directory })
    return await database.direct(async (session) => ({
      'schema.sql': await dumpSchema(session),
      'catalog.json': manifestText(await readCatalog(session)),
    }))
  } finally {
    await database.close()
    await server.stop()
  }
}
