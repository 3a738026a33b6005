import { execFile } from 'node:child_process'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createUser, eraseUser, readUser, reconcileErasures } from '../../src/identity/index.ts'
import { type Keyring, openKeyring, openPersonVault, personKeyId } from '../../src/keys/index.ts'
import {
  type Database,
  type EmbeddedServer,
  migrateUp,
  openDatabase,
  startEmbedded,
} from '../../src/postgres/index.ts'
import { FAST, reachableFolder, removeDataDir } from '../support/embedded.ts'
import { MIGRATIONS, tester } from '../support/index.ts'

const run = promisify(execFile)

let data = ''
let aside = ''
let keyring: Keyring
let keysFolder = ''
let server: EmbeddedServer | undefined

beforeAll(async () => {
  data = await reachableFolder()
  aside = `${data}-aside`
  keysFolder = await mkdtemp(join(tmpdir(), 'akashi-live-keys-'))
  keyring = await openKeyring(`file:${join(keysFolder, 'keys')}`)
})
afterAll(async () => {
  await server?.stop()
  await keyring.close()
  await removeDataDir(data)
  for (const folder of [aside, keysFolder]) await rm(folder, { recursive: true, force: true })
})

async function inServer<T>(work: (database: Database) => Promise<T>): Promise<T> {
  server = await startEmbedded({ dataDir: data, port: 0, settings: FAST })
  const database = openDatabase({ url: server.url('postgres'), role: 'owner' })
  try {
    return await work(database)
  } finally {
    await database.close()
    await server.stop()
    server = undefined
  }
}

it('a database restored to before an erasure cannot read the person, and erases them again', async () => {
  const vault = openPersonVault(keyring)
  const [id, other] = await inServer(async (database) => {
    await migrateUp({ url: server?.url('postgres') ?? '', directory: MIGRATIONS })
    return await database.transaction(tester, async (session) => [
      await createUser(session, vault, { username: 'erased', email: 'erased@example.com' }),
      await createUser(session, vault, { username: 'other', email: 'other@example.com' }),
    ])
  })
  if (id === undefined || other === undefined) throw new Error('no users')
  await run('cp', ['-a', data, aside])

  await inServer((database) =>
    eraseUser({ database, keyring }, tester, id, { confirm: 'erased', reason: 'asked for it' }),
  )
  const read = (database: Database, person: string) =>
    database.transaction(tester, (session) => readUser(session, vault, person))

  // The restore: the folder of before, with the keyring of now.
  await run('rm', ['-rf', data])
  await run('mv', [aside, data])
  await inServer(async (database) => {
    expect(await read(database, id)).toMatchObject({ status: 'active', email: null, subject: null })
    expect(await read(database, other)).toMatchObject({ email: 'other@example.com' })
    expect(await reconcileErasures({ database, keyring }, tester)).toMatchObject({
      erasedAgain: [id],
      missingKeys: 0,
    })
    expect(await read(database, id)).toMatchObject({ status: 'deleted', username: `deleted-${id}` })
    const { rows } = await database.transaction(tester, (session) =>
      session.query('select from akashi_keys.digest_salts where data_subject = $1', [id]),
    )
    expect(rows).toEqual([])
  })
})

it('a keyring restored to before an erasure destroys the key again', async () => {
  const vault = openPersonVault(keyring)
  const id = await inServer((database) =>
    database.transaction(tester, (session) =>
      createUser(session, vault, { username: 'second', email: 'second@example.com' }),
    ),
  )
  const copy = join(keysFolder, 'copy')
  await cp(join(keysFolder, 'keys'), copy, { recursive: true })
  await inServer(async (database) => {
    await eraseUser({ database, keyring }, tester, id, { confirm: id, reason: 'asked for it' })
    const restored = await openKeyring(`file:${copy}`)
    expect(await restored.state(personKeyId(id))).toBe('present')
    expect(await reconcileErasures({ database, keyring: restored }, tester)).toMatchObject({
      destroyedAgain: [id],
    })
    expect(await restored.state(personKeyId(id))).toBe('destroyed')
    await restored.close()
    const empty = await openKeyring(`file:${join(keysFolder, 'empty')}`)
    expect(await reconcileErasures({ database, keyring: empty }, tester)).toMatchObject({ missingKeys: 1 })
    await empty.close()
  })
})
