/** On a managed service, every verb of backup and recovery says what the provider offers instead. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readCapabilities } from '../../src/postgres/index.ts'
import { ask } from '../support/embedded.ts'
import { startThrowaway, type ThrowawayServer } from '../support/embedded-server.ts'
import { akashi } from './world.ts'

const providers = [
  ['rds', 'rds_superuser', 'restore-db-instance-to-point-in-time', 'Amazon RDS'],
  ['cloudsql', 'cloudsqlsuperuser', 'gcloud sql instances clone', 'Cloud SQL'],
  ['azure', 'azure_pg_admin', 'flexible-server restore', 'Azure Database'],
] as const

const verbs = [
  ['backup', 'full'],
  ['backup', 'incremental'],
  ['backup', 'stream'],
  ['backup', 'list'],
  ['backup', 'verify'],
  ['backup', 'prune'],
  ['backup', 'point', 'before'],
  ['backup', 'rewrap'],
  ['restore', '--to', '/nonexistent/new'],
  ['restore', '--table', 'public.t', '--into', 'public.u'],
  ['drill'],
  ['drill', '--latest'],
] as const

let server: ThrowawayServer
let folder = ''

beforeAll(async () => {
  server = await startThrowaway()
  folder = await mkdtemp(join(tmpdir(), 'akashi-managed-'))
}, 120_000)

afterAll(async () => {
  await server.stop()
  await rm(folder, { recursive: true, force: true })
})

const run = (...argv: string[]) =>
  akashi(argv, {
    world: {
      environment: {
        DATABASE_URL: server.url('postgres'),
        OBJECT_STORE_URL: `file:${join(folder, 'objects')}`,
        KEYS_URL: `file:${join(folder, 'keys')}`,
      },
    },
  })

it.each(providers)(
  '%s is known, and its way is told',
  async (provider, role, offered, name) => {
    await ask(server.url('postgres'), `create role ${role}`)
    try {
      expect((await readCapabilities(server.url('postgres'))).provider).toBe(provider)
      for (const verb of verbs) {
        const { status, stderr } = await run(...verb)
        expect(status, `${verb.join(' ')}: ${stderr}`).toBe(2)
        expect(stderr, verb.join(' ')).toContain('this server does not allow physical backups')
        expect(stderr, verb.join(' ')).toContain(offered)
      }
      const { status, stderr } = await run('upgrade')
      expect(status).toBe(2)
      expect(stderr).toContain(`a major version upgrade of ${name}`)
    } finally {
      await ask(server.url('postgres'), `drop role ${role}`)
    }
    expect((await readCapabilities(server.url('postgres'))).provider).toBeNull()
  },
  120_000,
)
