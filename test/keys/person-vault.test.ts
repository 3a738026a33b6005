import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Keyring, openKeyring, openPersonVault, type PersonVault } from '../../src/keys/index.ts'

let folder = ''
let keyring: Keyring
let vault: PersonVault

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'akashi-vault-'))
  keyring = await openKeyring(pathToFileURL(join(folder, 'keys')).href)
  vault = openPersonVault(keyring)
})
afterAll(async () => {
  await keyring.close()
  await rm(folder, { recursive: true })
})

const place = { table: 'akashi_auth.users', column: 'email', row: 'r1' }

describe('an encrypted column', () => {
  test('comes back as it was, whatever the text', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme' }), async (text) => {
        expect(await vault.decrypt('p1', place, await vault.encrypt('p1', place, text))).toBe(text)
      }),
      { numRuns: 20 },
    )
  })

  test('never has the same bytes twice, and none of the plaintext', async () => {
    const [one, two] = await Promise.all([1, 2].map(() => vault.encrypt('p1', place, 'taro@example.com')))
    expect(Buffer.from(one ?? []).equals(two ?? Buffer.of())).toBe(false)
    expect(Buffer.from(one ?? []).includes('taro')).toBe(false)
  })

  test.each([
    ['another person', 'p2', place],
    ['another table', 'p1', { ...place, table: 'akashi_auth.mfa_factors' }],
    ['another column', 'p1', { ...place, column: 'subject' }],
    ['another row', 'p1', { ...place, row: 'r2' }],
  ])('moved to %s opens nothing', async (_, person, elsewhere) => {
    await keyring.ensure('person', 'p2')
    const sealed = await vault.encrypt('p1', place, 'secret text')
    const refused = vault.decrypt(person, elsewhere, sealed)
    await expect(refused).rejects.toMatchObject({ code: 'integrity' })
    await expect(refused).rejects.not.toThrow(/secret text/)
  })

  test('with any one bit changed opens nothing', async () => {
    const sealed = await vault.encrypt('p1', place, 'x')
    for (let at = 0; at < sealed.length; at++) {
      const changed = Buffer.from(sealed)
      changed[at] = (changed[at] ?? 0) ^ 1
      // A changed key id names a key that the keyring never had.
      const code = at >= 1 && at <= 16 ? /integrity|not_found/ : /integrity/
      await expect(vault.decrypt('p1', place, changed), `byte ${at}`).rejects.toMatchObject({
        code: expect.stringMatching(code),
      })
    }
    await expect(vault.decrypt('p1', place, sealed.subarray(0, 40))).rejects.toMatchObject({
      code: 'integrity',
    })
  })
})

describe('a blind index', () => {
  test('is the same for the same value and purpose only, also after a restart', async () => {
    const one = Buffer.from(await vault.blindIndex('akashi_auth.users.email', 'a@example.com'))
    expect(one.length).toBe(32)
    expect(
      one.equals(await openPersonVault(keyring).blindIndex('akashi_auth.users.email', 'a@example.com')),
    ).toBe(true)
    expect(one.equals(await vault.blindIndex('akashi_auth.users.email', 'b@example.com'))).toBe(false)
    expect(one.equals(await vault.blindIndex('akashi_auth.users.subject', 'a@example.com'))).toBe(false)
  })
})
