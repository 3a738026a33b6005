import { spawnSync } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { akashi, akashiUp, type Running } from '../../scripts/akashi-process.ts'
import { openDatabase } from '../../src/postgres/index.ts'
import { reachableFolder, removeDataDir } from '../support/embedded.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const TIMEOUT_MS = 240_000

let data = ''
let escrow = ''
let running: Running

beforeAll(async () => {
  data = await reachableFolder()
  escrow = await mkdtemp(join(tmpdir(), 'akashi-escrow-'))
  running = await akashiUp(data)
}, TIMEOUT_MS)
afterAll(async () => {
  await running.stop()
  await removeDataDir(data)
  await rm(escrow, { recursive: true, force: true })
})

/** Runs the commands of a page's section, in order; each must exit as its comment promises, or with 0. */
async function follow(page: string, section: string): Promise<string> {
  const text = await readFile(join(root, 'docs/runbooks', page), 'utf8')
  const body = text.split(/^## /m).find((part) => part.startsWith(`${section}\n`)) ?? ''
  const lines = [...body.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block = '']) =>
    block.trim().split('\n'),
  )
  expect(lines.length, `${page}: ${section}`).toBeGreaterThan(0)
  let output = ''
  for (const line of lines) {
    // The service manager of the machine is this test.
    if (line === 'systemctl stop akashi') await running.stop()
    else if (line === 'systemctl start akashi') running = await akashiUp(data)
    else {
      const { status, stdout, stderr } = spawnSync('sh', ['-c', line], {
        cwd: root,
        encoding: 'utf8',
        env: {
          PATH: process.env['PATH'],
          HOME: process.env['HOME'],
          REASON: 'leaked',
          AKASHI_DATA: data,
          ESCROW: escrow,
        },
      })
      const promised = line.includes('# exits 1 while') ? [0, 1] : [0]
      expect(promised, `${line}\n${stdout}${stderr}`).toContain(status)
      output += stdout
    }
  }
  return output
}

async function sql<R>(text: string): Promise<R[]> {
  const { stdout } = await akashi(['url', '--role', 'superuser', '--data', data, '--json'])
  const { url } = JSON.parse(stdout) as { url: string }
  const database = openDatabase({ url, role: 'owner' })
  try {
    return await database.direct(async (session) => {
      // The tests' own tables are in public.
      await session.query('set search_path = public')
      return (await session.query<R>(text)).rows
    })
  } finally {
    await database.close()
  }
}

/** Users as SQL writes them; the next start encrypts them. */
async function addUsers(...names: string[]): Promise<void> {
  for (const name of names)
    await sql(
      `insert into akashi_auth.users (subject, username, email) values ('${name}', '${name}', '${name}@example.com')`,
    )
  await running.stop()
  running = await akashiUp(data)
  expect(await sql('select from akashi_auth.users where email is not null')).toEqual([])
}

it('the keyring is copied, checked, lost and brought back; who was erased stays so', {
  timeout: TIMEOUT_MS,
}, async () => {
  // The first start has made the administrator, too.
  await addUsers('alice', 'bob')
  const old = join(escrow, 'keyring-20200101T000000.tar.gz')
  await writeFile(old, 'an old copy')
  await utimes(old, new Date('2020-01-01'), new Date('2020-01-01'))
  await follow('key-escrow.md', 'Every day')
  expect((await readdir(escrow)).length).toBe(1)
  expect(await follow('key-escrow.md', 'Every month: check that the newest copy is usable')).toContain(
    '3 people have a key, 0 were erased',
  )
  await follow('key-escrow.md', 'Every year')

  const shredded = await akashi([
    'keys',
    'shred',
    'bob@example.com',
    '--confirm',
    'bob',
    '--reason',
    'asked for it',
    '--data',
    data,
    '--json',
  ])
  expect(shredded.status, shredded.stderr).toBe(0)
  const { userId, certificate } = JSON.parse(shredded.stdout) as { userId: string; certificate: string }
  const file = join(escrow, 'certificate.txt')
  await writeFile(file, certificate)
  const status = await akashi(['keys', 'status', '--data', data, '--json'])
  const { verifierKey } = JSON.parse(status.stdout) as { verifierKey: string }
  expect((await akashi(['keys', 'check', file, '--key', verifierKey])).stdout).toContain(
    `${userId} was erased`,
  )
  await writeFile(file, certificate.replace('asked for it', 'asked nobody'))
  expect(await akashi(['keys', 'check', file, '--key', verifierKey])).toMatchObject({ status: 1 })
  const stored = await akashi(['keys', 'certificate', userId, '--data', data])
  expect(stored.stdout.trim()).toBe(certificate.trim())

  // The copy is older than the erasure: it brings the key back, and the start destroys it again.
  expect(await follow('key-loss.md', 'The keyring is gone or damaged')).toContain('0 accounts erased again')
  // The section on the whole keyring refers to the two before it.
  await follow('leaked-key.md', 'The key that signs checkpoints')
  await follow('leaked-key.md', 'The key that signs contexts')
  await follow('leaked-key.md', 'The key of an application')
  expect(await follow('leaked-key.md', 'The whole keyring')).toContain('2 people have a key, 1 were erased')
  // The copy from before the rotation lacks the new keys.
  await follow('key-escrow.md', 'Every day')
  await addUsers('carol')
  expect(await follow('key-loss.md', 'The keyring is gone or damaged')).toContain('1 users have no key')
  expect(await follow('key-loss.md', 'An erasure was interrupted')).toContain('0 erasures completed')
  expect((await akashi(['verify', '--data', data])).status).toBe(0)
})
