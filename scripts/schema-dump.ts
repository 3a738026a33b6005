/**
 * Writes migrations/schema.sql as the migrations build it on the embedded server; with --check it writes nothing
 * and exits 1 if the file is stale.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { migrateUp, openDatabase } from '../src/postgres/index.ts'
import { startThrowaway } from '../test/support/embedded-server.ts'
import { dumpSchema } from './schema-dump/index.ts'

const directory = fileURLToPath(new URL('../migrations', import.meta.url))
const file = `${directory}/schema.sql`

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } })
const built = await build()
if (!values.check) {
  await writeFile(file, built)
} else if ((await readFile(file, 'utf8').catch(() => '')) !== built) {
  console.error(
    'error: migrations/schema.sql does not match the migrations\nhint: node scripts/schema-dump.ts',
  )
  process.exitCode = 1
}

async function build(): Promise<string> {
  const server = await startThrowaway()
  const url = server.url('postgres')
  const database = openDatabase({ url, role: 'owner' })
  try {
    await migrateUp({ url, directory })
    return await database.direct(dumpSchema)
  } finally {
    await database.close()
    await server.stop()
  }
}
