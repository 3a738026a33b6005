/** A support bundle has what helps, and none of the secrets and rows that were planted. */
import { execFileSync } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { akashi } from '../cli/world.ts'
import { testDatabase } from '../support/index.ts'

const PLANTED = 'plantedSecret0815'
const database = testDatabase()
let folder = ''

const ask = (text: string) => database.asSuperuser((session) => session.query(text))

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'akashi-support-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Every file of the archive, as tar unpacks it. */
async function unpacked(file: string): Promise<Map<string, string>> {
  const place = await mkdtemp(join(folder, 'unpacked-'))
  execFileSync('tar', ['-xzf', file, '-C', place])
  const found = new Map<string, string>()
  for (const name of await readdir(place)) found.set(name, await readFile(join(place, name), 'utf8'))
  return found
}

test('what was planted in rows, notes, messages, settings and URLs is in no file', async () => {
  const token = `${PLANTED}token`
  await ask(`
    create table public.letters (id integer primary key, text text);
    insert into public.letters values (1, '${PLANTED} row');
    select akashi_audit.protect('public.letters');
    update public.letters set text = '${PLANTED} changed';
    insert into akashi_lifecycle.job_runs (job, due_at, started_at, finished_at, state, worker, message, result)
    values ('verify', now(), now(), now(), 'failed', 'w', 'cannot reach postgresql://a:${PLANTED}@db/x, token=${token}', '{"row": "${PLANTED}"}');
    insert into akashi_lifecycle.alarms (condition, severity, detail, began_at, opened_at, acknowledged_at, acknowledged_by, note)
    values ('job_failed', 'low', 'password=${PLANTED}', now(), now(), now(), 'a', 'call ${PLANTED}')`)
  const url = new URL(database.url('owner'))
  const environment = {
    DATABASE_URL: url.href,
    AKASHI_DATA: join(folder, 'data'),
    KEYS_PASSPHRASE: `${PLANTED} passphrase`,
    REDIS_URL: `redis://u:${PLANTED}@redis.example:6379/0?key=${PLANTED}`,
  }
  const file = join(folder, 'bundle.tar.gz')
  const made = await akashi(['support-bundle', '--output', file], {
    world: { directory: folder, environment },
  })
  expect(made, made.stderr).toMatchObject({ status: 0 })
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  const files = await unpacked(file)
  expect([...files.keys()].sort()).toEqual([
    'README.txt',
    'alarms.json',
    'data-settings.json',
    'doctor.json',
    'jobs.json',
    'missing.json',
    'server-settings.json',
    'settings.json',
    'sizes.json',
    'versions.json',
  ])
  const secrets = [PLANTED, decodeURIComponent(url.password)].filter((secret) => secret !== '')
  for (const [name, text] of files) {
    for (const secret of secrets) expect(text.includes(secret), `${name} holds a secret`).toBe(false)
  }
  expect(JSON.parse(files.get('missing.json') ?? '')).toEqual({})
  expect(files.get('sizes.json')).toContain('public.letters')
  expect(files.get('jobs.json')).toContain('cannot reach postgresql://a:[redacted]@db/x')
  expect(files.get('alarms.json')).toContain('"hasNote": true')
  expect(JSON.parse(files.get('settings.json') ?? '')).toMatchObject({
    keysPassphrase: '[redacted]',
    redisUrl: 'redis://redis.example:6379/0',
  })
  expect(files.get('versions.json')).toContain('"name": "access_review"')
  const again = await akashi(['support-bundle', '--output', file], {
    world: { directory: folder, environment },
  })
  expect(again).toMatchObject({ status: 2, stderr: expect.stringContaining('already exists') })
})

test('without a database there is still a bundle, which says what it lacks', async () => {
  const file = join(folder, 'without.tar.gz')
  const environment = { DATABASE_URL: `postgresql://a:${PLANTED}@127.0.0.1:1/x` }
  const made = await akashi(['--json', 'support-bundle', '--output', file], {
    world: { directory: folder, environment },
  })
  expect(made.status).toBe(0)
  expect(Object.keys(JSON.parse(made.stdout).missing).sort()).toEqual([
    'alarms.json',
    'data-settings.json',
    'jobs.json',
    'server-settings.json',
    'sizes.json',
  ])
  for (const text of (await unpacked(file)).values()) expect(text).not.toContain(PLANTED)
  expect(made.stdout + made.stderr).not.toContain(PLANTED)
})
