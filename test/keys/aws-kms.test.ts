import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { openKeyring, openPersonVault } from '../../src/keys/index.ts'
import { type KmsServer, startKms } from '../support/kms-server.ts'

let kms: KmsServer
let folder = ''
const urlOf = (key: string, name = 'keys') =>
  `awskms:${key}?region=ap-northeast-1&folder=${join(folder, name)}&endpoint=${encodeURIComponent(kms.endpoint)}`
const place = { table: 't', column: 'c', row: 'r' }

beforeAll(async () => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIDEXAMPLE')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'example')
  kms = await startKms(['alias/akashi', 'alias/other'])
})
afterAll(async () => {
  vi.unstubAllEnvs()
  await kms.stop()
})
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'akashi-kms-'))
  kms.requests.length = 0
  kms.failure = null
  return () => rm(folder, { recursive: true })
})

describe('a keyring wrapped by AWS KMS', () => {
  test('signs, encrypts, rotates and erases like any other, with what each key is as context', async () => {
    const keyring = await openKeyring(urlOf('alias/akashi'))
    expect(keyring.location).toBe('awskms:alias/akashi')
    const { id } = await keyring.ensure('checkpoint')
    const signature = await keyring.sign(id, Buffer.from('x'))
    const vault = openPersonVault(keyring)
    const sealed = await vault.encrypt('p1', place, 'text')
    const erased = await vault.encrypt('p2', place, 'text')
    const index = await vault.blindIndex('p', 'v')
    const rotated = await keyring.rotateWrapping()
    expect(rotated).toMatchObject({ rewrapped: 2 })
    await keyring.destroy((await keyring.ensure('person', 'p2')).id)
    await keyring.close()

    const again = await openKeyring(urlOf('alias/akashi'))
    expect(await again.sign(id, Buffer.from('x'))).toEqual(signature)
    expect(await openPersonVault(again).decrypt('p1', place, sealed)).toBe('text')
    expect(await openPersonVault(again).decrypt('p2', place, erased)).toBeNull()
    expect(await openPersonVault(again).blindIndex('p', 'v')).toEqual(index)
    const asked = kms.requests.length
    for (let n = 0; n < 20; n++) await again.sign(id, Buffer.from(`${n}`))
    expect(kms.requests.length).toBe(asked)
    expect(kms.requests).toContainEqual({
      operation: 'Decrypt',
      context: expect.objectContaining({ 'akashi:key': id, 'akashi:purpose': 'checkpoint' }),
    })
    await again.close()
  })

  test('keeps no secret in its folder: another KMS key, or none, opens nothing', async () => {
    const keyring = await openKeyring(urlOf('alias/akashi'))
    const { id } = await keyring.ensure('context')
    const secret = Buffer.from(await keyring.secret(id))
    await keyring.close()
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      const content = await readFile(join(entry.parentPath, entry.name))
      expect(content.includes(secret.toString('base64'))).toBe(false)
      expect(content.includes(secret)).toBe(false)
    }
    const other = await openKeyring(urlOf('alias/other'))
    await expect(other.secret(id)).rejects.toMatchObject({ code: 'integrity' })
    await other.close()
    const none = openKeyring(`file:${join(folder, 'keys')}`)
    await expect(none).rejects.toMatchObject({
      code: 'invalid_config',
      hint: expect.stringContaining('awskms:'),
    })
  })

  test('a wrapped secret does not pose as that of another key', async () => {
    const keyring = await openKeyring(urlOf('alias/akashi'))
    const [one, two] = [await keyring.ensure('context'), await keyring.ensure('blind-index')]
    await keyring.close()
    const path = (id: string) => join(folder, 'keys', 'keys', `${id}.json`)
    const other = JSON.parse(await readFile(path(two.id), 'utf8'))
    const mine = JSON.parse(await readFile(path(one.id), 'utf8'))
    await writeFile(path(one.id), JSON.stringify({ ...mine, secret: other.secret }))
    const again = await openKeyring(urlOf('alias/akashi'))
    await expect(again.secret(one.id)).rejects.toMatchObject({ code: 'integrity' })
    await again.close()
  })

  test.each([
    ['AccessDeniedException', 'forbidden'],
    ['DisabledException', 'unavailable'],
    ['KMSInvalidStateException', 'unavailable'],
    ['NotFoundException', 'invalid_config'],
    ['KMSInternalException', 'unavailable'],
  ])('%s is told as %s, and nothing is made without KMS', async (failure, code) => {
    const keyring = await openKeyring(urlOf('alias/akashi'))
    kms.failure = failure
    await expect(keyring.ensure('context')).rejects.toMatchObject({ code })
    kms.failure = null
    expect(await keyring.list()).toEqual([])
    await keyring.close()
  })

  test('does not take over a folder of another service', async () => {
    await (await openKeyring(`file:${join(folder, 'keys')}`)).close()
    await expect(openKeyring(urlOf('alias/akashi'))).rejects.toMatchObject({ code: 'invalid_config' })
    const withPassphrase = openKeyring(urlOf('alias/akashi', 'new'), { passphrase: 'x' })
    await expect(withPassphrase).rejects.toMatchObject({ code: 'invalid_config' })
  })
})
