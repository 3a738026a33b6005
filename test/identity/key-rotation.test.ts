import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { fixedClock } from '../../src/foundation/index.ts'
import {
  createUser,
  findUserByIdentity,
  findUserByLogin,
  keyAges,
  openSealer,
  rotateIndexes,
} from '../../src/identity/index.ts'
import { type Keyring, openKeyring, openPersonVault, type PersonVault } from '../../src/keys/index.ts'
import { identityTasks } from '../../src/operations/index.ts'
import { testDatabase, tester } from '../support/index.ts'

const CHILD = fileURLToPath(new URL('reindex-child.ts', import.meta.url))
const USERS = 40
const DAY_MS = 86_400_000

const database = testDatabase()
const worker = database.open('worker')
let folder = ''
let keys = ''
let keyring: Keyring
/** As another process has it, which knows nothing of a rotation but by the keyring. */
let other: Keyring
let vault: PersonVault
const ids: string[] = []

const make = (n: number | string) =>
  worker.transaction(tester, (session) =>
    createUser(session, vault, {
      issuer: 'local',
      subject: `sub-${n}`,
      username: `user-${n}`,
      email: `user-${n}@example.com`,
    }),
  )
/** Whether everybody is found by what they are known by. */
async function found(): Promise<boolean> {
  return await worker.transaction(tester, async (session) => {
    for (const [n, id] of ids.entries()) {
      const users = [
        await findUserByLogin(session, vault, `user-${n}@example.com`),
        await findUserByIdentity(session, vault, 'local', `sub-${n}`),
      ]
      if (users.some((user) => user?.id !== id)) return false
    }
    return true
  })
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'akashi-index-keys-'))
  keys = `file:${join(folder, 'keys')}`
  keyring = await openKeyring(keys)
  other = await openKeyring(keys)
  vault = openPersonVault(other)
  for (let n = 0; n < USERS; n += 1) ids.push(await make(n))
})
afterAll(async () => {
  await keyring.close()
  await other.close()
  await rm(folder, { recursive: true })
})

describe('rotating the key of blind indexes', () => {
  it('killed on its way leaves everybody to be found, and is gone on with', async () => {
    const before = await keyring.indexKeys()
    const child = spawn(process.execPath, [CHILD, database.url('worker'), keys, '15'], { stdio: 'inherit' })
    await once(child, 'exit')
    expect(child.signalCode).toBe('SIGKILL')
    const between = await keyring.indexKeys()
    expect(between.former).toBe(before.active)
    expect(await found()).toBe(true)
    // Who comes meanwhile is under the new key already.
    ids.push(await make(USERS))
    const seen: number[] = []
    const ended = await rotateIndexes({ database: worker, keyring }, tester, {
      onProgress: (done) => seen.push(done),
    })
    expect(ended).toMatchObject({ keyId: between.active, resumed: true, conflicts: [] })
    expect(ended.reindexed).toBeGreaterThan(0)
    expect(ended.reindexed).toBeLessThan(USERS)
    expect(seen).toContain(USERS + 1)
    expect(await keyring.indexKeys()).toEqual({ active: between.active, former: null })
    vault = openPersonVault(other)
    expect(await found()).toBe(true)
    // The same address is still one user's.
    await expect(
      worker.transaction(tester, (session) =>
        createUser(session, vault, { username: 'again', email: 'user-1@example.com' }),
      ),
    ).rejects.toMatchObject({ code: 'already_exists' })
  })

  it('leaves a sign-in that is under way whole', async () => {
    const sealer = openSealer(vault)
    const content = z.object({ a: z.number() })
    const sealed = await sealer.seal('test', { a: 1 }, 60)
    await keyring.beginIndexRotation()
    await expect.poll(async () => (await vault.blindIndexes('p', 'v')).length).toBe(2)
    expect(await sealer.open('test', sealed, content)).toEqual({ a: 1 })
    expect(await sealer.open('test', await sealer.seal('test', { a: 2 }, 60), content)).toEqual({ a: 2 })
    expect(await found()).toBe(true)
    expect(await rotateIndexes({ database: worker, keyring }, tester)).toMatchObject({ resumed: true })
  })

  it('names users who share an address under two keys, and ends when that is mended', async () => {
    await keyring.beginIndexRotation()
    await expect.poll(async () => (await vault.blindIndexes('p', 'v')).length).toBe(2)
    const twin = await worker.transaction(tester, (session) =>
      createUser(session, vault, { username: 'twin', email: 'user-2@example.com' }),
    )
    const { conflicts } = await rotateIndexes({ database: worker, keyring }, tester)
    expect(conflicts).toEqual([ids[2]])
    expect((await keyring.indexKeys()).former).not.toBeNull()
    await database.asSuperuser((session) =>
      session.query('delete from akashi_auth.users where id = $1', [twin]),
    )
    expect(await rotateIndexes({ database: worker, keyring }, tester)).toMatchObject({ conflicts: [] })
    expect((await keyring.indexKeys()).former).toBeNull()
  })
})

describe('the timetable of keys', () => {
  const run = (task: string, days: number) => {
    const work = identityTasks(keyring, fixedClock(new Date(Date.now() + days * DAY_MS)))[task]
    if (work === undefined) throw new Error(`there is no ${task}`)
    return work({
      worker,
      actor: tester,
      signal: new AbortController().signal,
      log: silent,
      onProgress: () => undefined,
    })
  }
  const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
  const wrapping = async () => (await keyring.ensure('wrapping')).id

  it('rotates what is older than its policy, and alarms where that did not happen', async () => {
    const before = await wrapping()
    expect(await run('keys.rotate', 300)).toEqual({ rotated: [] })
    expect(await run('keys.check', 300)).toMatchObject({ days: { wrapping: 300 } })
    await expect(run('keys.check', 373)).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining(before),
    })
    expect(await run('keys.rotate', 366)).toEqual({ rotated: [expect.stringMatching(/^wrapping-/)] })
    expect(await wrapping()).not.toBe(before)
  })

  it('goes on with a rotation that was cut short, whatever its age, and rotates indexes where told to', async () => {
    await keyring.beginIndexRotation()
    const { active } = await keyring.indexKeys()
    expect(await run('keys.rotate', 0)).toEqual({ rotated: [active] })
    await database.asSuperuser((session) =>
      session.query(
        `update akashi_lifecycle.settings set value = '30' where key = 'keys.blind_index.rotation_days'`,
      ),
    )
    await expect(run('keys.check', 40)).rejects.toMatchObject({ code: 'conflict' })
    const { rotated } = (await run('keys.rotate', 31)) as { rotated: string[] }
    expect(rotated).toHaveLength(1)
    const ages = await keyAges({ database: worker, actor: tester, keyring, clock: fixedClock(new Date()) })
    expect(ages.map(({ purpose, limitDays }) => [purpose, limitDays])).toEqual([
      ['wrapping', 365],
      ['blind-index', 30],
    ])
  })
})
