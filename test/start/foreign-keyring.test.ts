/** A keyring that is not the database's, as its operator meets it: a lost volume, another folder, an old copy. */
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { akashi, akashiUp } from '../../scripts/akashi-process.ts'
import { auditLogs, seal } from '../../src/audit/index.ts'
import { type Keyring, openKeyring } from '../../src/keys/index.ts'
import { removeCluster } from '../../src/postgres/index.ts'
import { testDatabase, tester } from '../support/index.ts'

const VERBS_TIMEOUT_MS = 120_000

const database = testDatabase()
let folder: string
let keyring: Keyring

/** A verb with a keyring of this name; where it starts instead of refusing, the test times out. */
function run(keys: string, verb: string, login: 'owner' | 'server') {
  return akashi([...verb.split(' '), '--data', folder], {
    env: { DATABASE_URL: database.url(login), KEYS_URL: `file:${join(folder, keys)}` },
  })
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'akashi-foreign-'))
  const { status, stderr } = await run('own', 'migrate up', 'owner')
  expect(status, stderr).toBe(0)
  keyring = await openKeyring(`file:${join(folder, 'own')}`)
  await cp(join(folder, 'own'), join(folder, 'partial'), { recursive: true })
  await seal(database.open('worker'), tester, keyring, auditLogs)
  const another = await openKeyring(`file:${join(folder, 'another')}`)
  await another.ensure('context')
  await another.close()
}, VERBS_TIMEOUT_MS)
afterAll(async () => {
  await keyring.close()
  await removeCluster(join(folder, 'data'))
  await rm(folder, { recursive: true, force: true })
})

describe('is refused', () => {
  it.each([
    ['migrate up', 'owner'],
    ['serve --port 0', 'server'],
    ['work', 'server'],
    ['audit epoch --reason x', 'owner'],
    ['keys reconcile', 'owner'],
  ] as const)(
    'by akashi %s, which makes no key in it',
    async (verb, login) => {
      for (const [keys, says] of [
        ['empty', 'the keyring is empty, but the database was installed with another one'],
        ['another', 'the keyring belongs to another installation'],
        [
          'partial',
          'the keyring lacks the key that signed the head of the log audit_logs, or the head was altered',
        ],
      ] as const) {
        const { status, stderr } = await run(keys, verb, login)
        expect(stderr).toContain(says)
        expect(stderr).toContain('hint: set KEYS_URL to the keyring of this database')
        expect(status).not.toBe(0)
      }
      expect(await readdir(join(folder, 'empty', 'keys'))).toEqual([])
      expect((await keyring.list('checkpoint')).length).toBe(1)
    },
    VERBS_TIMEOUT_MS,
  )

  it(
    'by akashi up',
    async () => {
      const data = join(folder, 'data')
      await (await akashiUp(data)).stop()
      const env = { KEYS_URL: `file:${join(folder, 'other')}` }
      const { status, stderr } = await akashi(['up', '--data', data, '--port', '0'], { env })
      expect(stderr).toContain('the keyring is empty, but the database')
      expect(status).not.toBe(0)
    },
    VERBS_TIMEOUT_MS,
  )
})
