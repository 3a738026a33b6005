/** A database of before the first release, as its user meets it: refused by whatever would work on it. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { akashi, akashiUp } from '../../scripts/akashi-process.ts'
import { openDatabase, removeCluster, type Session } from '../../src/postgres/index.ts'
import { testDatabase } from '../support/index.ts'

const VERBS_TIMEOUT_MS = 120_000
const message =
  'akashi: the database was created before the first release and cannot be upgraded to this version\nhint: start with a new data folder'

/** Its schemas had other names. */
async function makeFormer(session: Session): Promise<void> {
  await session.query('alter schema akashi_lifecycle rename to lifecycle')
}

const database = testDatabase()
let data: string

beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), 'akashi-former-'))
  await database.asSuperuser(makeFormer)
})
afterAll(async () => {
  await removeCluster(data)
  await rm(data, { recursive: true, force: true })
})

describe('a database of before the first release is refused', () => {
  it.each([
    ['migrate up', 'owner'],
    ['migrate status', 'owner'],
    ['serve --port 0', 'worker'],
    ['work', 'worker'],
  ] as const)('by akashi %s', async (verb, role) => {
    const args = [...verb.split(' '), '--data', data]
    const { status, stderr } = await akashi(args, { env: { DATABASE_URL: database.url(role) } })
    expect(stderr).toContain(message)
    expect(status).not.toBe(0)
  })

  it(
    'by akashi up',
    async () => {
      const running = await akashiUp(data)
      const found = await akashi(['url', '--role', 'superuser', '--json', '--data', data])
      const superuser = openDatabase({ url: JSON.parse(found.stdout).url, role: 'owner' })
      await superuser.direct(makeFormer)
      await superuser.close()
      await running.stop()
      const { status, stderr } = await akashi(['up', '--data', data, '--port', '0'])
      expect(stderr).toContain(message)
      expect(status).not.toBe(0)
    },
    VERBS_TIMEOUT_MS,
  )
})
