import { spawn } from 'node:child_process'
import { createPublicKey, verify } from 'node:crypto'
import { once } from 'node:events'
import {
  chmod,
  link,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  stat,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { fixedClock } from '../../src/foundation/index.ts'
import { type KeyPurpose, openKeyring } from '../../src/keys/index.ts'

const CHILD = fileURLToPath(new URL('child.ts', import.meta.url))
const PURPOSES: KeyPurpose[] = ['checkpoint', 'context', 'wrapping', 'blind-index', 'report']
const OLD_ID = 'context-01998c00-0000-7000-8000-000000000000'
const UNKNOWN_ID = 'person-01998c00-0000-7000-8000-000000000000'

let base: string
let root: string
let url: string
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'akashi-keys-'))
  root = join(base, 'deep', 'keys')
  url = `file:${root}`
})
afterEach(() => rm(base, { recursive: true, force: true }))

const personFile = (id: string) => join(root, 'persons', id.slice(7, 9), `${id}.json`)

async function everyFile(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}

function startChildren(count: number, ...args: readonly string[]) {
  return Array.from({ length: count }, () => {
    const child = spawn(process.execPath, [CHILD, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
    return { child, lines: createInterface(child.stdout)[Symbol.asyncIterator]() }
  })
}

async function raceChildren(children: ReturnType<typeof startChildren>): Promise<string[]> {
  for (const { lines } of children) expect((await lines.next()).value).toBe('ready')
  for (const { child } of children) child.stdin.end('go\n')
  const ids: string[] = []
  for (const { lines } of children) ids.push(...JSON.parse((await lines.next()).value ?? '[]'))
  return ids
}

describe.each([undefined, 'correct horse battery staple'])(
  'file keyring with passphrase %s',
  (passphrase) => {
    const options = passphrase === undefined ? {} : { passphrase }

    test('makes one active key per purpose and person, and keeps it', async () => {
      const clock = fixedClock(new Date('2025-03-04T05:06:07.890Z'))
      const keyring = await openKeyring(url, { ...options, clock })
      expect(keyring.location).toBe(`file:${root}`)
      const made = []
      for (const purpose of PURPOSES) made.push(await keyring.ensure(purpose))
      for (const subject of ['u1', 'u2', '../../etc/passwd', '山田'])
        made.push(await keyring.ensure('person', subject))
      expect(new Set(made.map(({ id }) => id)).size).toBe(9)
      for (const info of made) {
        expect(info).toMatchObject({ state: 'active', createdAt: clock.now() })
        expect(info.id.startsWith(`${info.purpose}-`)).toBe(true)
        expect(info).not.toHaveProperty('secret')
      }
      await keyring.close()
      const again = await openKeyring(url, options)
      for (const info of made)
        expect(await again.ensure(info.purpose, info.subject ?? undefined)).toEqual(info)
      const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1)
      expect(await again.list()).toEqual(made.filter(({ subject }) => subject === null).sort(byId))
      expect((await again.list('person')).map(({ subject }) => subject).sort()).toEqual(
        ['u1', 'u2', '../../etc/passwd', '山田'].sort(),
      )
      await again.close()
    })

    test('signs with Ed25519 and keeps the secret; gives out symmetric secrets', async () => {
      const keyring = await openKeyring(url, options)
      const { id } = await keyring.ensure('checkpoint')
      const message = Buffer.from('message')
      const signature = await keyring.sign(id, message)
      const publicKey = await keyring.publicKey(id)
      expect([signature.length, publicKey.length]).toEqual([64, 32])
      const x = Buffer.from(publicKey).toString('base64url')
      const key = createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x } })
      expect(verify(null, message, key, signature)).toBe(true)
      expect(verify(null, Buffer.from('massage'), key, signature)).toBe(false)
      await expect(keyring.secret(id)).rejects.toMatchObject({ code: 'forbidden' })

      const person = await keyring.ensure('person', 'u1')
      const secret = await keyring.secret(person.id)
      expect(secret.length).toBe(32)
      expect(Buffer.from(await keyring.secret(person.id)).equals(secret)).toBe(true)
      await expect(keyring.sign(person.id, message)).rejects.toMatchObject({ code: 'invalid_input' })
      await expect(keyring.publicKey(person.id)).rejects.toMatchObject({ code: 'invalid_input' })
      await keyring.close()
    })

    test('a rotated key is retired: known, but signing no more', async () => {
      const keyring = await openKeyring(url, options)
      const old = await keyring.ensure('checkpoint')
      const current = await keyring.rotate('checkpoint')
      expect(current).toMatchObject({ state: 'active' })
      expect(await keyring.ensure('checkpoint')).toEqual(current)
      expect(await keyring.list('checkpoint')).toEqual([{ ...old, state: 'retired' }, current])
      await expect(keyring.sign(old.id, Buffer.from('x'))).rejects.toMatchObject({ code: 'conflict' })
      expect((await keyring.publicKey(old.id)).length).toBe(32)
      const index = await keyring.ensure('blind-index')
      const secret = await keyring.secret(index.id)
      await keyring.rotate('blind-index')
      expect(await keyring.secret(index.id)).toEqual(secret)
      await expect(keyring.rotate('person')).rejects.toMatchObject({ code: 'invalid_input' })
      expect(await keyring.rotate('report')).toMatchObject({ purpose: 'report', state: 'active' })
      await keyring.close()
    })

    test('a destroyed key is gone for good: the person gets no other', async () => {
      const keyring = await openKeyring(url, options)
      const doomed = await keyring.ensure('person', 'u1')
      const kept = await keyring.ensure('person', 'u2')
      const file = await open(personFile(doomed.id))
      const before = await file.readFile()
      await keyring.secret(doomed.id)
      await keyring.destroy(doomed.id)
      const after = Buffer.alloc(before.length)
      await file.read(after, 0, after.length, 0)
      expect((await file.stat()).nlink).toBe(0)
      await file.close()
      expect(after.equals(before)).toBe(false)
      expect(after.includes('secret')).toBe(false)
      await keyring.destroy(doomed.id)
      await expect(keyring.secret(doomed.id)).rejects.toMatchObject({
        code: 'not_found',
        detail: { destroyed: true },
      })
      expect((await keyring.list('person')).map(({ id }) => id)).toEqual([kept.id])
      await expect(keyring.ensure('person', 'u1')).rejects.toMatchObject({ code: 'conflict' })
      expect(await readFile(personFile(doomed.id), 'utf8')).not.toContain('secret')
      expect(await readdir(join(root, 'destroying'))).toEqual([])
      expect(await keyring.countPersonKeys()).toMatchObject({ keys: 1, destroyed: 1 })
      await keyring.close()
    })

    test('a wrapping key, too, is overwritten when it is destroyed', async () => {
      const keyring = await openKeyring(url, options)
      const { id } = await keyring.ensure('wrapping')
      const file = await open(join(root, 'keys', `${id}.json`))
      const before = await file.readFile()
      await keyring.destroy(id)
      const after = Buffer.alloc(before.length)
      await file.read(after, 0, after.length, 0)
      await file.close()
      expect(after.includes('secret')).toBe(false)
      expect((await everyFile(root)).filter((path) => path.includes(id))).toEqual([])
      await keyring.close()
    })

    test('an id is never a path, and unknown ids are not found', async () => {
      const keyring = await openKeyring(url, options)
      for (const id of ['', '..', '../keyring', `${UNKNOWN_ID}/..`, `${UNKNOWN_ID}\n`, `x${UNKNOWN_ID}`]) {
        await expect(keyring.secret(id), id).rejects.toMatchObject({ code: 'invalid_input' })
        await expect(keyring.destroy(id), id).rejects.toMatchObject({ code: 'invalid_input' })
      }
      await expect(keyring.secret(UNKNOWN_ID)).rejects.toMatchObject({
        code: 'not_found',
        detail: { destroyed: false },
      })
      await keyring.destroy(UNKNOWN_ID)
      await expect(keyring.ensure('person')).rejects.toMatchObject({ code: 'invalid_input' })
      await expect(keyring.ensure('person', '')).rejects.toMatchObject({ code: 'invalid_input' })
      await expect(keyring.ensure('checkpoint', 'u1')).rejects.toMatchObject({ code: 'invalid_input' })
      await keyring.close()
      await expect(keyring.list()).rejects.toMatchObject({ code: 'conflict' })
    })

    test('files are 0600, folders 0700', async () => {
      const keyring = await openKeyring(url, options)
      await keyring.ensure('person', 'u1')
      for (const path of await everyFile(root)) expect((await stat(path)).mode & 0o777, path).toBe(0o600)
      for (const folder of ['', 'keys', 'slots', 'persons', 'replacing', 'destroying', 'temp']) {
        expect((await stat(join(root, folder))).mode & 0o777, folder).toBe(0o700)
      }
      await keyring.close()
    })
  },
)

describe('permissions', () => {
  test.each([0o750, 0o705, 0o711, 0o770])('a folder of mode %o is refused', async (mode) => {
    await mkdir(root, { recursive: true })
    await chmod(root, mode)
    await expect(openKeyring(url)).rejects.toMatchObject({
      code: 'invalid_config',
      hint: expect.stringContaining('chmod 700'),
    })
    expect(await readdir(root)).toEqual([])
  })

  test.each([0o640, 0o604, 0o660])('a key file of mode %o is refused', async (mode) => {
    const keyring = await openKeyring(url)
    const { id } = await keyring.ensure('context')
    await chmod(join(root, 'keys', `${id}.json`), mode)
    const refusal = { code: 'invalid_config', hint: expect.stringContaining('chmod 600') }
    await expect(keyring.secret(id)).rejects.toMatchObject(refusal)
    await expect(keyring.ensure('context')).rejects.toMatchObject(refusal)
    await chmod(join(root, 'keyring.json'), mode)
    await expect(openKeyring(url)).rejects.toMatchObject(refusal)
    await keyring.close()
  })
})

describe('passphrase', () => {
  test('a wrong, missing or superfluous passphrase is refused and nothing is lost', async () => {
    const first = await openKeyring(url, { passphrase: 'right' })
    const { id } = await first.ensure('context')
    const secret = Buffer.from(await first.secret(id))
    await first.close()
    const files = await everyFile(root)
    const contents = await Promise.all(files.map((path) => readFile(path)))
    for (const content of contents) {
      expect(content.includes(secret)).toBe(false)
      expect(content.includes(secret.toString('base64'))).toBe(false)
    }
    await expect(openKeyring(url, { passphrase: 'wrong' })).rejects.toMatchObject({
      code: 'unauthenticated',
      message: 'the passphrase of the keyring is wrong',
    })
    await expect(openKeyring(url)).rejects.toMatchObject({ code: 'invalid_config' })
    await expect(openKeyring(url, { passphrase: '' })).rejects.toMatchObject({ code: 'invalid_config' })
    expect(await everyFile(root)).toEqual(files)
    expect(await Promise.all(files.map((path) => readFile(path)))).toEqual(contents)
    const again = await openKeyring(url, { passphrase: 'right' })
    expect(secret.equals(await again.secret(id))).toBe(true)
    await again.close()

    const plain = `file:${join(base, 'plain')}`
    await (await openKeyring(plain)).close()
    await expect(openKeyring(plain, { passphrase: 'x' })).rejects.toMatchObject({ code: 'invalid_config' })
  })

  test.each(['subject', 'id', 'createdAt', 'wrappedBy', 'secret'])(
    'a wrapped key whose %s was changed is refused',
    async (field) => {
      let keyring = await openKeyring(url, { passphrase: 'right' })
      const [one, two] = [await keyring.ensure('person', 'u1'), await keyring.ensure('person', 'u2')]
      await keyring.rotate('wrapping')
      await keyring.ensure('person', 'u3')
      const path = personFile(one.id)
      const mine = JSON.parse(await readFile(path, 'utf8'))
      const other = JSON.parse(await readFile(personFile(two.id), 'utf8'))
      const active = (await keyring.ensure('wrapping')).id
      const changed = { ...other, createdAt: '2020-01-01T00:00:00.000Z', wrappedBy: active }[field]
      await writeFile(path, JSON.stringify({ ...mine, [field]: changed }))
      await keyring.close()
      keyring = await openKeyring(url, { passphrase: 'right' })
      const refused = keyring.secret(one.id)
      await expect(refused).rejects.toMatchObject({ code: 'integrity' })
      await expect(refused).rejects.not.toHaveProperty('cause')
      await keyring.close()
    },
  )
})

describe('several processes', () => {
  test('racing to make a key agree on one', async () => {
    const ids = await raceChildren(startChildren(4, 'ensure', url, 'u1'))
    expect(ids.length).toBe(40)
    expect(new Set(ids).size).toBe(2)
    const keyring = await openKeyring(url)
    const found = [...(await keyring.list('checkpoint')), ...(await keyring.list('person'))]
    expect(found.map(({ id }) => id)).toEqual([...new Set(ids)].sort())
    await keyring.close()
  })

  test('racing to rotate leave exactly one active key, the one that the last of them returned', async () => {
    const keyring = await openKeyring(url)
    const first = await keyring.ensure('context')
    const ids = await raceChildren(startChildren(4, 'rotate', url))
    const keys = await keyring.list('context')
    const active = keys.filter(({ state }) => state === 'active')
    expect(active.length).toBe(1)
    expect(ids).toContain(active[0]?.id)
    for (const id of ids) expect(keys.map((key) => key.id)).toContain(id)
    expect(ids).not.toContain(first.id)
    await keyring.close()
  })

  test('one killed at any moment leaves a keyring that opens, with every key whole or gone', async () => {
    for (let round = 0; round < 6; round++) {
      const [started] = startChildren(1, 'churn', url, `r${round}`)
      if (started === undefined) throw new Error('no child')
      await started.lines.next()
      started.child.stdin.end('go\n')
      const made = new Set<string>()
      const destroyed = new Set<string>()
      let steps = 0
      for await (const line of started.lines) {
        const [word, id = ''] = line.split(' ')
        if (word === 'made') made.add(id)
        else destroyed.add(id)
        if (steps++ === 5 + round) started.child.kill('SIGKILL')
      }
      if (started.child.exitCode === null && started.child.signalCode === null)
        await once(started.child, 'exit')
      const keyring = await openKeyring(url)
      const present = new Set((await keyring.list('person')).map(({ id }) => id))
      for (const id of destroyed) {
        expect(present.has(id)).toBe(false)
        await expect(keyring.secret(id)).rejects.toMatchObject({ detail: { destroyed: true } })
      }
      for (const id of present) expect((await keyring.secret(id)).length).toBe(32)
      expect(await readdir(join(root, 'destroying'))).toEqual([])
      await keyring.ensure('person', `r${round}-after`)
      expect(made.size).toBeGreaterThan(0)
      await keyring.close()
    }
  })
})

describe('leftovers and damage', () => {
  test('opening finishes a destruction that was cut short and removes old temporary files', async () => {
    await (await openKeyring(url)).close()
    for (const name of [OLD_ID, `${UNKNOWN_ID}.0011`])
      await writeFile(join(root, 'destroying', name), 'secret', { mode: 0o600 })
    await writeFile(join(root, 'replacing', `${UNKNOWN_ID}.0011`), 'secret', { mode: 0o600 })
    const slot = join(root, 'slots', 'report.1')
    const [old, young, linked] = ['old', 'young', 'linked'].map((name) => join(root, 'temp', name))
    if (old === undefined || young === undefined || linked === undefined) throw new Error('no paths')
    for (const path of [old, young, linked]) await writeFile(path, `${UNKNOWN_ID}\n`, { mode: 0o600 })
    await link(linked, slot)
    const longAgo = new Date(Date.now() - 7_200_000)
    for (const path of [old, linked]) await utimes(path, longAgo, longAgo)
    const keyring = await openKeyring(url)
    for (const folder of ['destroying', 'replacing']) expect(await readdir(join(root, folder))).toEqual([])
    await expect(keyring.secret(UNKNOWN_ID)).rejects.toMatchObject({ detail: { destroyed: true } })
    expect(await readdir(join(root, 'temp'))).toEqual(['young'])
    expect(await readFile(slot, 'utf8')).toBe(`${UNKNOWN_ID}\n`)
    await keyring.close()
  })

  test('a damaged key file is named without its content; a lost keyring.json is not made anew', async () => {
    const keyring = await openKeyring(url)
    const { id } = await keyring.ensure('context')
    const path = join(root, 'keys', `${id}.json`)
    await writeFile(path, (await readFile(path, 'utf8')).replace('"version": 1', '"version": 9'))
    await expect(keyring.secret(id)).rejects.toMatchObject({
      code: 'integrity',
      detail: { keyId: id },
    })
    await rm(join(root, 'keyring.json'))
    await expect(openKeyring(url, { passphrase: 'new' })).rejects.toMatchObject({ code: 'integrity' })
    await keyring.close()
  })

  test('refuses other key services without repeating the URL', async () => {
    const other = openKeyring('vault://ID:SECRET@eu-west-1/alias')
    await expect(other).rejects.toMatchObject({ code: 'unsupported', hint: 'accepted: file:, awskms:' })
    await expect(other).rejects.not.toThrow(/SECRET/)
    for (const bad of [
      'keys',
      'file:keys',
      '',
      'awskms:alias/a',
      'awskms://ID:SECRET@host/alias?folder=/x',
      `awskms:alias/a?folder=${root}&regoin=x`,
      'awskms:alias/a?folder=keys',
    ]) {
      await expect(openKeyring(bad), bad).rejects.toMatchObject({ code: 'invalid_config' })
    }
  })
})
