/**
 * Writes migrations/schema.sql and migrations/catalog.json as the migrations build it on the embedded server; with
 * --check it writes nothing and exits 1 if a file is stale.
 */
import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { manifestText, readCatalog } from '../src/audit/index.ts'
import { migrateUp, openDatabase } from '../src/postgres/index.ts'
import { startThrowaway } from '../test/support/embedded-server.ts'
import { dumpSchema } from './schema-dump/index.ts'
import { staleFiles } from './stale-files.ts'

const directory = fileURLToPath(new URL('../migrations', import.meta.url))

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } })
const built = await build()
if (values.check) {
  for (const name of await staleFiles(directory, built)) {
    console.error(
      `error: migrations/${name} does not match the migrations\nhint: node scripts/schema-dump.ts`,
    )
    process.exitCode = 1
  }
} else {
  for (const [name, text] of Object.entries(built)) await writeFile(`${directory}/${name}`, text)
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
