/**
 * Runs a command against PostgreSQL 15, the oldest supported version, as Debian packages it:
 *
 *   node scripts/with-postgres-15.ts npx vitest run
 *
 * The server is temporary and removed when the command ends; its URL is in AKASHI_TEST_DATABASE_URL. The exit
 * status is that of the command, or 3 if PostgreSQL 15 is not installed.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { POSTGRES_15, startLocalServer } from '../test/support/local-server.ts'

const [command, ...parameters] = process.argv.slice(2)
if (command === undefined) {
  console.error('usage: node scripts/with-postgres-15.ts COMMAND [ARGUMENT…]')
  process.exit(2)
}
if (!existsSync(POSTGRES_15)) {
  console.error(
    `error: PostgreSQL 15 is not installed in ${POSTGRES_15}\nhint: apt-get install postgresql-15`,
  )
  process.exit(3)
}
const server = await startLocalServer(POSTGRES_15)
let status = 1
try {
  const child = spawn(command, parameters, {
    stdio: 'inherit',
    env: { ...process.env, AKASHI_TEST_DATABASE_URL: server.url('postgres') },
  })
  // The terminal sends the interrupt to the command too; wait for it, then clean up.
  process.on('SIGINT', () => undefined)
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  const [code]: unknown[] = await once(child, 'exit')
  status = typeof code === 'number' ? code : 1
} finally {
  await server.stop()
}
process.exit(status)
