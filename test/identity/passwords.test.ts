import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hash as bcrypt } from '@node-rs/bcrypt'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  generatePassword,
  openBreachedPasswords,
  openGate,
  openPasswords,
  type PasswordPolicy,
  passwordFaults,
} from '../../src/identity/passwords/index.ts'

const GOOD = 'kettle violet tram 9'

describe('hashes', () => {
  const passwords = openPasswords()

  it('are argon2id with 19 MiB and two passes, and verify', async () => {
    const stored = await passwords.hash(GOOD)
    expect(stored).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
    expect(await passwords.verify(stored, GOOD)).toEqual({ matches: true, outdated: false })
    expect(await passwords.verify(stored, `${GOOD} `)).toMatchObject({ matches: false })
    expect(await passwords.hash(GOOD)).not.toBe(stored)
  })

  it('of bcrypt verify and are to be replaced', async () => {
    const stored = await bcrypt(GOOD, 4)
    expect(await passwords.verify(stored, GOOD)).toEqual({ matches: true, outdated: true })
    expect(await passwords.verify(stored, 'another')).toMatchObject({ matches: false })
  })

  it('cost the same for a user that is not there, and never match', async () => {
    const before = passwords.evaluated
    expect(await passwords.verify(null, GOOD)).toEqual({ matches: false, outdated: false })
    expect(passwords.evaluated - before).toBe(1)
  })

  it('are not computed for a text that is no password', async () => {
    const before = passwords.evaluated
    const overlong = 'x'.repeat(1_025)
    await expect(passwords.hash(overlong)).rejects.toMatchObject({ code: 'invalid_input' })
    expect(await passwords.verify(null, overlong)).toMatchObject({ matches: false })
    expect(passwords.evaluated).toBe(before)
  })
})

describe('the gate', () => {
  it('runs so many at once, in the order in which they came', async () => {
    const gate = openGate(2, 10)
    const begun: number[] = []
    let running = 0
    let most = 0
    await Promise.all(
      [0, 1, 2, 3, 4, 5].map((n) =>
        gate.run(async () => {
          begun.push(n)
          running += 1
          most = Math.max(most, running)
          await new Promise((resolve) => setImmediate(resolve))
          running -= 1
        }),
      ),
    )
    expect(begun).toEqual([0, 1, 2, 3, 4, 5])
    expect(most).toBe(2)
  })

  it('refuses when too many wait, and forgets who gave up', async () => {
    const gate = openGate(1, 1)
    const { promise: busy, resolve: finish } = Promise.withResolvers<void>()
    const first = gate.run(() => busy)
    const giveUp = new AbortController()
    const second = gate.run(async () => 'second', giveUp.signal)
    await expect(gate.run(async () => 'third')).rejects.toMatchObject({ code: 'unavailable' })
    giveUp.abort(new Error('gave up'))
    await expect(second).rejects.toThrow('gave up')
    const fourth = gate.run(async () => 'fourth')
    finish()
    await first
    expect(await fourth).toBe('fourth')
    expect(await gate.run(async () => 'fifth')).toBe('fifth')
  })
})

describe('the policy', () => {
  const tools = { breached: openBreachedPasswords(), passwords: openPasswords() }
  const policy = { minLength: 12, maxLength: 128, requireComposition: false, checkBreached: true, history: 5 }
  const faults = (password: string, changes: Partial<PasswordPolicy> = {}, names: string[] = []) =>
    passwordFaults({ password, names, history: [] }, { ...policy, ...changes }, tools)

  it('asks for length, and for composition only when it is told to', async () => {
    expect(await faults(GOOD)).toEqual([])
    expect(await faults('ひみつのことばはながい長い')).toEqual([])
    expect(await faults('x7 kettle')).toEqual(['too_short'])
    expect(await faults(`${GOOD} `.repeat(20))).toEqual(['too_long'])
    const strict = { requireComposition: true }
    expect(await faults('Nothing of 1 here at all', strict)).toEqual(['needs_letters_digits_and_signs'])
    expect(await faults('Kettle, violet tram 9', strict)).toEqual([])
  })

  it('refuses the name of the person', async () => {
    expect(await faults('my Hanako-kettle 7', {}, ['hanako', 'ann'])).toEqual(['contains_name'])
    expect(await faults('annual kettle tram', {}, ['ann'])).toEqual([])
  })

  it.each([
    'password1234',
    'P@ssw0rd2026!',
    'qwertyuiop12',
    '1q2w3e4r5t6y',
    'aaaaaaaaaaaaaa',
    'abcabcabcabcab',
    '123456789012',
    'Welcome2Akashi!',
    'letmeinletmein',
    'iloveyou iloveyou',
    'sakura-tokyo-2026',
    'correct horse battery staple',
    'ｐａｓｓｗｏｒｄ１２３４',
  ])('refuses %s, which everybody tries', async (password) => {
    expect(await faults(password)).toEqual(['breached'])
  })

  it.each([
    GOOD,
    'zu3Kf-9wQxx-Ld',
    'umbrella stapler mould',
    generatePassword(),
    '夜明け前の鯨が歌う声を聞いた',
  ])('takes %s', async (password) => {
    expect(await faults(password)).toEqual([])
  })

  it('refuses the 3,000 most used and many more, also those long enough for the policy (ASVS 6.2.4)', async () => {
    const text = await readFile(
      join(import.meta.dirname, '../../src/identity/passwords/common-passwords.txt'),
      'utf8',
    )
    const listed = text.split('\n').filter((line) => !/^(# .*|#)?$/.test(line))
    expect(listed.length).toBeGreaterThan(30_000)
    const decorated = listed
      .filter((word, at) => at % 4 === 0 && /^[a-z]+$/.test(word))
      .map((word) => `${word}-2026!`)
    const long = [...listed, ...decorated].filter(({ length }) => length >= policy.minLength)
    expect(long.length).toBeGreaterThan(3_000)
    for (const password of long) expect(await tools.breached.has(password), password).toBe(true)
  })

  it('refuses former passwords, as many as it says', async () => {
    const history = await Promise.all(
      ['former one kettle', 'former two kettle'].map((p) => tools.passwords.hash(p)),
    )
    const ask = (password: string, depth: number) =>
      passwordFaults({ password, names: [], history }, { ...policy, history: depth - 1 }, tools)
    expect(await ask('former two kettle', 2)).toEqual(['used_before'])
    expect(await ask('former two kettle', 1)).toEqual([])
    expect(await ask('never one kettle', 2)).toEqual([])
  })
})

describe('the corpus of breached passwords', () => {
  const breached = Array.from({ length: 500 }, (_, i) => `leaked kettle ${i}`)
  const digest = (password: string) => createHash('sha1').update(password).digest('hex').toUpperCase()
  let folder: string

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'akashi-breached-'))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  it.each(['\n', '\r\n'])('is searched in one sorted file (%j)', async (newline) => {
    const file = join(folder, `sorted${newline.length}`)
    const lines = breached.map((password, i) => `${digest(password)}:${i * i + 1}`).sort()
    await writeFile(file, lines.join(newline) + newline)
    const corpus = openBreachedPasswords(file)
    for (const password of breached) expect(await corpus.has(password), password).toBe(true)
    for (let i = 0; i < 200; i += 1) expect(await corpus.has(`not leaked kettle ${i}`)).toBe(false)
  })

  it('is searched in a folder of ranges', async () => {
    const [first = '', second = '', third = ''] = breached.map(digest)
    await writeFile(join(folder, first.slice(0, 5)), `${'0'.repeat(35)}:3\r\n${first.slice(5)}:7\r\n`)
    await writeFile(join(folder, `${second.slice(0, 5)}.txt`), `${second.slice(5).toLowerCase()}:1\n`)
    await writeFile(join(folder, third.slice(0, 5)), `${'F'.repeat(35)}:3\n`)
    const corpus = openBreachedPasswords(folder)
    expect(await Promise.all(breached.slice(0, 3).map((p) => corpus.has(p)))).toEqual([true, true, false])
  })

  it('fails closed when it cannot be read', async () => {
    await expect(openBreachedPasswords(join(folder, 'gone')).has('x')).rejects.toMatchObject({
      code: 'unavailable',
    })
  })
})
