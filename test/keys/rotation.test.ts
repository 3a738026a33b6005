import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openKeyring, openPersonVault } from '../../src/keys/index.ts'
import { CACHE_KEYS, CACHE_MS, SecretCache } from '../../src/keys/secret-cache.ts'

const CHILD = fileURLToPath(new URL('child.ts', import.meta.url))
const place = { table: 't', column: 'c', row: 'r' }

let root: string
let url: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'akashi-rotation-'))
  url = `file:${join(root, 'keys')}`
})
afterEach(() => rm(root, { recursive: true }))

async function makePersons(count: number): Promise<Map<string, Uint8Array>> {
  const keyring = await openKeyring(url)
  const vault = openPersonVault(keyring)
  const sealed = new Map<string, Uint8Array>()
  for (let n = 0; n < count; n++) sealed.set(`p${n}`, await vault.encrypt(`p${n}`, place, `text of p${n}`))
  await keyring.close()
  return sealed
}

async function expectReadable(sealed: Map<string, Uint8Array>): Promise<void> {
  const keyring = await openKeyring(url)
  const vault = openPersonVault(keyring)
  for (const [person, bytes] of sealed)
    expect(await vault.decrypt(person, place, bytes)).toBe(`text of ${person}`)
  await keyring.close()
}

describe('rotation of the wrapping key', () => {
  test('wraps every key anew, tells how far it is, and leaves what was encrypted readable', async () => {
    const sealed = await makePersons(70)
    const keyring = await openKeyring(url)
    const old = await keyring.ensure('wrapping')
    const seen: number[] = []
    const result = await keyring.rotateWrapping({ onProgress: ({ done }) => seen.push(done) })
    expect(result).toMatchObject({ resumed: false, keys: 70, rewrapped: 70 })
    expect(seen.slice(0, 3)).toEqual([32, 64, 70])
    expect(result.keyId).not.toBe(old.id)
    expect(await keyring.countPersonKeys()).toEqual({
      keys: 70,
      destroyed: 0,
      rooms: 0,
      wrappedBy: new Map([[result.keyId, 70]]),
      rotating: false,
    })
    expect((await keyring.list('wrapping')).map(({ id, state }) => [id, state])).toEqual([
      [old.id, 'retired'],
      [result.keyId, 'active'],
    ])
    expect(await readdir(join(root, 'keys', 'replacing'))).toEqual([])
    await keyring.close()
    await expectReadable(sealed)
  })

  test('killed at any moment goes on where it stopped', async () => {
    const sealed = await makePersons(200)
    const started = await openKeyring(url)
    const first = await started.ensure('wrapping')
    await started.close()
    for (const done of [32, 96]) {
      const child = spawn(process.execPath, [CHILD, 'rewrap', url, String(done)], {
        stdio: ['pipe', 'ignore', 'inherit'],
      })
      child.stdin.end('go\n')
      await once(child, 'exit')
      expect(child.signalCode).toBe('SIGKILL')
      const between = await openKeyring(url)
      const { rotating, keys } = await between.countPersonKeys()
      expect({ rotating, keys }).toEqual({ rotating: true, keys: 200 })
      await between.close()
      await expectReadable(sealed)
    }
    const keyring = await openKeyring(url)
    const result = await keyring.rotateWrapping()
    expect(result.resumed).toBe(true)
    expect(result.rewrapped).toBeGreaterThan(0)
    expect(result.rewrapped).toBeLessThan(200)
    // One rotation, however often it was killed: one new key.
    expect((await keyring.list('wrapping')).map(({ id }) => id)).toEqual([first.id, result.keyId])
    expect((await keyring.countPersonKeys()).wrappedBy).toEqual(new Map([[result.keyId, 200]]))
    await keyring.close()
    await expectReadable(sealed)
  })

  test('brings no key back that is destroyed meanwhile, and stops nobody who makes or reads one', async () => {
    const sealed = await makePersons(120)
    const [one, two] = [await openKeyring(url), await openKeyring(url)]
    const vault = openPersonVault(two)
    const doomed = [...sealed.keys()].filter((_, at) => at % 3 === 0)
    const ids = await Promise.all(doomed.map(async (person) => (await two.ensure('person', person)).id))
    const destroying = (async () => {
      for (const id of ids) await two.destroy(id)
    })()
    const reading = (async () => {
      for (const [person, bytes] of sealed)
        if (!doomed.includes(person))
          expect(await vault.decrypt(person, place, bytes)).toBe(`text of ${person}`)
      for (let n = 0; n < 20; n++) await vault.encrypt(`new${n}`, place, 'x')
    })()
    const [result] = await Promise.all([one.rotateWrapping(), destroying, reading])
    expect(result.rewrapped).toBeGreaterThan(0)
    for (const [at, person] of doomed.entries()) {
      expect(await vault.decrypt(person, place, sealed.get(person) ?? new Uint8Array())).toBeNull()
      const id = ids[at] ?? ''
      const text = await readFile(join(root, 'keys', 'persons', id.slice(7, 9), `${id}.json`), 'utf8')
      expect(text).not.toContain('secret')
    }
    const { keys, destroyed } = await one.countPersonKeys()
    expect({ keys, destroyed }).toEqual({ keys: 100, destroyed: 40 })
    await Promise.all([one.close(), two.close()])
  })

  test('stops when it is told to, with what it has done', async () => {
    await makePersons(70)
    const keyring = await openKeyring(url)
    const stop = new AbortController()
    const stopped = keyring.rotateWrapping({ signal: stop.signal, onProgress: () => stop.abort() })
    await expect(stopped).rejects.toMatchObject({ code: 'cancelled' })
    expect(await keyring.countPersonKeys()).toMatchObject({ rotating: true })
    expect(await keyring.rotateWrapping()).toMatchObject({ resumed: true, rewrapped: 38 })
    await keyring.close()
  })
})

test('a key that another process destroyed is forgotten by this one', async () => {
  const sealed = await makePersons(1)
  const [one, two] = [await openKeyring(url), await openKeyring(url)]
  const vault = openPersonVault(one)
  const bytes = sealed.get('p0') ?? new Uint8Array()
  expect(await vault.decrypt('p0', place, bytes)).toBe('text of p0')
  await two.destroy((await two.ensure('person', 'p0')).id)
  await sleep(CACHE_MS)
  expect(await vault.decrypt('p0', place, bytes)).toBeNull()
  await Promise.all([one.close(), two.close()])
})

test('the cache of keys has a bound, and hands out copies', () => {
  const cache = new SecretCache()
  const first = Buffer.alloc(32, 1)
  cache.set('first', first)
  const copy = cache.get('first')
  for (let n = 0; n < CACHE_KEYS; n++) cache.set(`k${n}`, Buffer.alloc(32, 2))
  expect(cache.get('first')).toBeNull()
  expect(cache.get(`k${CACHE_KEYS - 1}`)).toEqual(Buffer.alloc(32, 2))
  expect(copy).toEqual(first)
})

test('a key that the keyring never had is an error, not an erasure', async () => {
  const sealed = await makePersons(1)
  const other = await openKeyring(`file:${join(root, 'other')}`)
  const read = openPersonVault(other).decrypt('p0', place, sealed.get('p0') ?? new Uint8Array())
  await expect(read).rejects.toMatchObject({ code: 'not_found', hint: expect.stringContaining('KEYS_URL') })
  await other.close()
})
