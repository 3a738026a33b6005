/** What every driver of the object store must do; each driver's test calls this with a way to make one. */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { PassThrough, Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ListedObject, ObjectStore } from '../../src/object-store/index.ts'

const MEBIBYTE = 1024 * 1024
/** Where many megabytes or processes meet a busy machine. */
const HEAVY = { timeout: 120_000 }
/** Several parts of every driver, and a piece. */
const LARGE_BYTES = 20 * MEBIBYTE + 12_345
const CHILD = fileURLToPath(new URL('child.ts', import.meta.url))

export interface StoreUnderTest {
  readonly store: ObjectStore
  /** Opens the same store in another process. */
  readonly url: string
  /** Flips a byte of a stored object behind the driver's back. */
  corrupt(key: string): Promise<void>
  /** Puts a small object under each key, by a shortcut where putting one by one would take minutes. */
  fill(keys: readonly string[]): Promise<void>
  /** How many keys the long listing has; fewer where each costs a request. */
  readonly manyKeys?: number
  /** Uploads that were begun and neither published nor taken away, where the store can tell. */
  unfinished?(): number
  dispose(): Promise<void>
}

export type Child = ChildProcessByStdio<import('node:stream').Writable, Readable, null>

export function startChild(...args: readonly string[]): Child {
  return spawn(process.execPath, [CHILD, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
}

export async function killAndWait(child: Child): Promise<void> {
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** The bytes in chunks of a size that fits no part. */
export function inChunks(bytes: Buffer): Readable {
  const chunk = 700_001
  return Readable.from(
    Array.from({ length: Math.ceil(bytes.length / chunk) }, (_, n) =>
      bytes.subarray(n * chunk, (n + 1) * chunk),
    ),
  )
}

export async function keysOf(heads: AsyncIterable<ListedObject>): Promise<string[]> {
  const keys: string[] = []
  for await (const head of heads) keys.push(head.key)
  return keys
}

export async function allOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

export function describeObjectStore(name: string, create: () => Promise<StoreUnderTest>): void {
  describe(`object store: ${name}`, () => {
    let under: StoreUnderTest
    let store: ObjectStore
    beforeAll(async () => {
      under = await create()
      store = under.store
    })
    afterAll(() => under.dispose())
    const read = async (key: string, range?: { start: number; end?: number }) =>
      buffer(await store.get(key, range === undefined ? {} : { range }))

    test('gives back what was put, with its digest, size and time', async () => {
      const bytes = randomBytes(3 * MEBIBYTE + 17)
      const before = Date.now()
      const put = await store.put('basic/a.bin', bytes)
      expect(put).toMatchObject({ key: 'basic/a.bin', size: bytes.length, sha256: sha256(bytes) })
      // Stores may keep whole seconds.
      expect(put.lastModified.getTime()).toBeGreaterThanOrEqual(before - 1000)
      expect(await store.head('basic/a.bin')).toEqual(put)
      expect((await read('basic/a.bin')).equals(bytes)).toBe(true)
    })

    test('keeps an empty object', async () => {
      expect(await store.put('basic/empty', new Uint8Array())).toMatchObject({
        size: 0,
        sha256: sha256(Buffer.alloc(0)),
      })
      expect((await read('basic/empty')).length).toBe(0)
      await expect(store.get('basic/empty', { range: { start: 0 } })).rejects.toMatchObject({
        code: 'invalid_input',
      })
    })

    test('takes a stream of small and large chunks', async () => {
      const chunks = Array.from({ length: 500 }, (_, n) => randomBytes(n % 50 === 0 ? 300_000 : n))
      const whole = Buffer.concat(chunks)
      const head = await store.put('basic/stream', Readable.from(chunks))
      expect(head).toMatchObject({ size: whole.length, sha256: sha256(whole) })
      expect((await read('basic/stream')).equals(whole)).toBe(true)
    })

    test('reads a stream no faster than it stores it', HEAVY, async () => {
      let largest = 0
      let sent = 0
      const body = new Readable({
        highWaterMark: MEBIBYTE,
        read() {
          largest = Math.max(largest, this.readableLength)
          this.push(sent++ < 64 ? Buffer.alloc(MEBIBYTE, sent) : null)
        },
      })
      expect((await store.put('basic/pressure', body)).size).toBe(64 * MEBIBYTE)
      expect(largest).toBeLessThanOrEqual(2 * MEBIBYTE)
    })

    test('sends an object no faster than it is consumed', async () => {
      const stream = await store.get('basic/pressure')
      await once(stream, 'readable')
      stream.read(1)
      await new Promise((resolve) => setImmediate(resolve))
      expect(stream.readableLength).toBeLessThanOrEqual(4 * MEBIBYTE)
      stream.destroy()
      await once(stream, 'close')
    })

    test('reads ranges', async () => {
      const bytes = randomBytes(MEBIBYTE)
      await store.put('range', bytes)
      const cases: [number, number | undefined][] = [
        [0, 1],
        [1, 700_000],
        [999_999, undefined],
        [MEBIBYTE - 1, 9 * MEBIBYTE],
      ]
      for (const [start, end] of cases) {
        const part = await read('range', end === undefined ? { start } : { start, end })
        expect(part.equals(bytes.subarray(start, end))).toBe(true)
      }
      for (const range of [{ start: -1 }, { start: 5, end: 5 }, { start: MEBIBYTE }, { start: 0.5 }]) {
        await expect(store.get('range', { range })).rejects.toMatchObject({ code: 'invalid_input' })
      }
    })

    test('says not found, or null, or nothing, for what is not there', async () => {
      await expect(store.get('missing/a')).rejects.toMatchObject({ code: 'not_found' })
      expect(await store.head('missing/a')).toBeNull()
      await store.delete('missing/a')
      expect(await keysOf(store.list('missing/'))).toEqual([])
    })

    test('deletes', async () => {
      await store.put('gone', Buffer.from('x'))
      await store.delete('gone')
      expect(await store.head('gone')).toBeNull()
      await expect(store.get('gone')).rejects.toMatchObject({ code: 'not_found' })
      await store.put('gone', Buffer.from('y'), { ifAbsent: true })
      expect((await read('gone')).toString()).toBe('y')
    })

    test('refuses keys that are not keys', async () => {
      const long = 'a'.repeat(256)
      const bad = [
        '',
        '/',
        '/a',
        'a/',
        'a//b',
        '.',
        '..',
        '../a',
        'a/../b',
        'a/./b',
        'a\\b',
        'a b',
        'é',
        'a\0',
        'a%2e',
        long,
      ]
      for (const key of [...bad, `${'a/'.repeat(512)}b`]) {
        await expect(store.put(key, Buffer.from('x')), key).rejects.toMatchObject({ code: 'invalid_input' })
        await expect(store.get(key), key).rejects.toMatchObject({ code: 'invalid_input' })
        await expect(store.head(key), key).rejects.toMatchObject({ code: 'invalid_input' })
        await expect(store.delete(key), key).rejects.toMatchObject({ code: 'invalid_input' })
      }
      for (const prefix of ['../', '/', 'a/../', 'a b']) {
        await expect(keysOf(store.list(prefix)), prefix).rejects.toMatchObject({ code: 'invalid_input' })
      }
    })

    test('takes every character and length that a key may have', async () => {
      const segment = `${'.AZaz09._=+-'.padEnd(254, 'x')}y`
      const key = `keys/${segment}/..x/${segment}/year=2024+a/${'z'.repeat(255)}`
      await store.put(key, Buffer.from('x'))
      expect(await keysOf(store.list('keys/'))).toEqual([key])
      expect(await keysOf(store.list(`keys/${segment}/..`))).toEqual([key])
    })

    test('overwrites for readers at once: digest and bytes always belong together', async () => {
      const versions = Array.from({ length: 4 }, (_, n) => Buffer.alloc(200_000 * (n + 1), n))
      const digests = new Set(versions.map(sha256))
      await store.put('over', versions[0] ?? Buffer.alloc(0))
      let writing = true
      const writers = versions.map(async (bytes) => {
        for (let n = 0; n < 8; n++) await store.put('over', bytes)
      })
      const done = Promise.all(writers).finally(() => {
        writing = false
      })
      let reads = 0
      do {
        expect(digests.has(sha256(await read('over')))).toBe(true)
        expect(digests.has((await store.head('over'))?.sha256 ?? '')).toBe(true)
        reads++
      } while (writing)
      await done
      expect(reads).toBeGreaterThan(0)
    })

    test('an object being read stays whole when it is overwritten or deleted', async () => {
      const bytes = randomBytes(4 * MEBIBYTE)
      await store.put('held', bytes)
      const first = await store.get('held')
      await store.put('held', Buffer.from('new'))
      const second = await store.get('held')
      await store.delete('held')
      expect((await buffer(first)).equals(bytes)).toBe(true)
      expect((await buffer(second)).toString()).toBe('new')
    })

    test('refuses bytes that do not match the digest given for them, and stores nothing', async () => {
      const bytes = Buffer.from('right')
      const wrong = sha256(Buffer.from('wrong'))
      await expect(store.put('digest', bytes, { sha256: wrong })).rejects.toMatchObject({ code: 'integrity' })
      expect(await store.head('digest')).toBeNull()
      expect((await store.put('digest', bytes, { sha256: sha256(bytes) })).size).toBe(5)
      await expect(store.put('digest', bytes, { sha256: wrong })).rejects.toMatchObject({ code: 'integrity' })
      expect((await read('digest')).toString()).toBe('right')
    })

    test('a source that fails stores nothing and fails with its own error', async () => {
      const failing = Readable.from(
        (async function* () {
          yield randomBytes(MEBIBYTE)
          throw new Error('the source broke')
        })(),
      )
      await expect(store.put('failing', failing)).rejects.toThrow('the source broke')
      expect(await store.head('failing')).toBeNull()
      await expect(store.put('failing', Readable.from(['text']))).rejects.toMatchObject({
        code: 'invalid_input',
      })
      expect(await store.head('failing')).toBeNull()
    })

    test('stops a put, a get and a list that are cancelled', async () => {
      const early = AbortSignal.abort()
      await expect(store.put('cancel', Buffer.from('x'), { signal: early })).rejects.toMatchObject({
        code: 'cancelled',
      })
      const control = new AbortController()
      const stalled = new PassThrough()
      stalled.write(randomBytes(1000))
      const put = store.put('cancel', stalled, { signal: control.signal })
      setImmediate(() => control.abort())
      await expect(put).rejects.toMatchObject({ code: 'cancelled' })
      expect(stalled.destroyed).toBe(true)
      expect(await store.head('cancel')).toBeNull()

      await store.put('cancel', randomBytes(8 * MEBIBYTE))
      await expect(store.get('cancel', { signal: early })).rejects.toMatchObject({ code: 'cancelled' })
      const reading = new AbortController()
      const stream = await store.get('cancel', { signal: reading.signal })
      reading.abort()
      await expect(buffer(stream)).rejects.toMatchObject({ code: 'cancelled' })
      await expect(keysOf(store.list('', { signal: early }))).rejects.toMatchObject({ code: 'cancelled' })
    })

    test('takes large bodies, of a digest known before or not, as stream or as bytes', HEAVY, async () => {
      const bytes = randomBytes(LARGE_BYTES)
      const digest = sha256(bytes)
      const bodies: [string, Readable | Uint8Array, string | undefined][] = [
        ['stream', inChunks(bytes), undefined],
        ['stream-digest', inChunks(bytes), digest],
        ['bytes', bytes, undefined],
        ['exact', bytes.subarray(0, 16 * MEBIBYTE), undefined],
      ]
      for (const [name, body, known] of bodies) {
        const key = `big/${name}`
        const size = name === 'exact' ? 16 * MEBIBYTE : LARGE_BYTES
        const head = await store.put(key, body, known === undefined ? {} : { sha256: known })
        expect(head, name).toMatchObject({ size, sha256: sha256(bytes.subarray(0, size)) })
        expect(await store.head(key), name).toEqual(head)
        expect(sha256(await read(key)), name).toBe(head.sha256)
      }
      const middle = await read('big/stream', { start: 9 * MEBIBYTE, end: 17 * MEBIBYTE })
      expect(middle.equals(bytes.subarray(9 * MEBIBYTE, 17 * MEBIBYTE))).toBe(true)
    })

    test('a large body that ends badly in the middle leaves nothing', HEAVY, async () => {
      const bytes = randomBytes(LARGE_BYTES)
      for (const known of [{ sha256: sha256(bytes) }, {}]) {
        const control = new AbortController()
        let sent = 0
        const stalling = new Readable({
          read() {
            if (sent++ < 20) this.push(bytes.subarray(0, MEBIBYTE))
            else setImmediate(() => control.abort())
          },
        })
        const put = store.put('middle', stalling, { ...known, signal: control.signal })
        await expect(put).rejects.toMatchObject({ code: 'cancelled' })
        const failing = Readable.from(
          (async function* () {
            yield* inChunks(bytes)
            throw new Error('the source broke')
          })(),
        )
        await expect(store.put('middle', failing, known)).rejects.toThrow('the source broke')
      }
      const wrong = { sha256: sha256(Buffer.from('wrong')) }
      await expect(store.put('middle', inChunks(bytes), wrong)).rejects.toMatchObject({ code: 'integrity' })
      await expect(store.put('middle', bytes, wrong)).rejects.toMatchObject({ code: 'integrity' })
      expect(await store.head('middle')).toBeNull()
      expect(under.unfinished?.() ?? 0).toBe(0)
    })

    test('writers of large bodies race for a key: one wins, and its bytes are there', HEAVY, async () => {
      const bodies = Array.from({ length: 4 }, () => randomBytes(LARGE_BYTES))
      const outcomes = await Promise.allSettled(
        bodies.map((bytes) => store.put('race/big', inChunks(bytes), { ifAbsent: true })),
      )
      const winners = outcomes.filter((outcome) => outcome.status === 'fulfilled')
      const losers = outcomes.filter((outcome) => outcome.status === 'rejected')
      expect(winners.length).toBe(1)
      for (const { reason } of losers) expect(reason).toMatchObject({ code: 'already_exists' })
      expect(sha256(await read('race/big'))).toBe(winners[0]?.value.sha256)
      expect(under.unfinished?.() ?? 0).toBe(0)
    })

    test('refuses to keep what it cannot promise to keep', async () => {
      const retainUntil = new Date(Date.now() + 60_000)
      await expect(store.put('kept', Buffer.from('x'), { retainUntil })).rejects.toMatchObject({
        code: 'unsupported',
      })
      expect(await store.head('kept')).toBeNull()
    })

    test('finds a corrupted object by reading it whole', async () => {
      await store.put('corrupt', randomBytes(MEBIBYTE))
      await under.corrupt('corrupt')
      await expect(read('corrupt')).rejects.toMatchObject({ code: 'integrity' })
    })

    test('lists in ascending byte order of the keys, from a prefix, after a key', async () => {
      const keys = [
        'l/a',
        'l/a+',
        'l/a-b',
        'l/a.b',
        'l/a0',
        'l/aA',
        'l/a=',
        'l/b/c',
        'l/b-/c',
        'l/b.',
        'l/b0',
        'l/B',
        'l/_',
      ]
      for (const key of keys) await store.put(key, Buffer.from(key))
      const sorted = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      expect(await keysOf(store.list('l/'))).toEqual(sorted)
      expect(await keysOf(store.list('l/a'))).toEqual(sorted.filter((key) => key.startsWith('l/a')))
      expect(await keysOf(store.list('l/b/'))).toEqual(['l/b/c'])
      expect(await keysOf(store.list('l'))).toEqual(sorted)
      for (const after of [...keys, 'l/', 'l/b/', 'l/b/a', 'l/b/d', 'a', 'z']) {
        expect(await keysOf(store.list('l/', { after })), after).toEqual(sorted.filter((key) => key > after))
      }
      for await (const head of store.list('l/b')) {
        expect(await store.head(head.key)).toMatchObject({ key: head.key, size: head.size })
      }
    })

    test('lists the folders below one that hold objects, each once', async () => {
      for (const key of ['f/a/1', 'f/a/2', 'f/a-/1', 'f/B/x/y', 'f/c', 'f/gone/1', 'fg/1']) {
        await store.put(key, Buffer.from(key))
      }
      await store.delete('f/gone/1')
      expect(await allOf(store.listFolders('f/'))).toEqual(['f/B/', 'f/a-/', 'f/a/'])
      expect(await allOf(store.listFolders('f/B/'))).toEqual(['f/B/x/'])
      expect(await allOf(store.listFolders(''))).toContain('fg/')
      expect(await allOf(store.listFolders('nothing/'))).toEqual([])
      await expect(allOf(store.listFolders('f'))).rejects.toMatchObject({ code: 'invalid_input' })
      const early = AbortSignal.abort()
      await expect(allOf(store.listFolders('f/', { signal: early }))).rejects.toMatchObject({
        code: 'cancelled',
      })
    })

    test('fifty writers in five processes race for a key: one wins', HEAVY, async () => {
      for (const key of ['race/one', 'race/deep/two']) {
        const children = Array.from({ length: 5 }, () => startChild('race', under.url, key, '10'))
        const lines = children.map((child) => createInterface(child.stdout)[Symbol.asyncIterator]())
        for (const line of lines) expect((await line.next()).value).toBe('ready')
        for (const child of children) child.stdin.end('go\n')
        const outcomes: string[] = []
        for (const line of lines) outcomes.push(...JSON.parse((await line.next()).value ?? '[]'))
        const [winner, ...others] = outcomes.filter((outcome) => outcome.startsWith('won '))
        expect(outcomes.length).toBe(50)
        expect(others).toEqual([])
        expect(outcomes.filter((outcome) => outcome === 'already_exists').length).toBe(49)
        expect(winner).toBe(`won ${sha256(await read(key))}`)
      }
    })

    test('a process killed in the middle of a put leaves nothing to see', async () => {
      const child = startChild('stall', under.url, 'killed/a')
      for await (const line of createInterface(child.stdout)) if (line === 'stalled') break
      await killAndWait(child)
      expect(await store.head('killed/a')).toBeNull()
      expect(await keysOf(store.list('killed/'))).toEqual([])
      await store.put('killed/a', Buffer.from('again'), { ifAbsent: true })
      expect((await read('killed/a')).toString()).toBe('again')
    })

    test(
      'a process killed at any moment leaves only whole objects, and all that it was promised',
      HEAVY,
      async () => {
        for (let round = 0; round < 6; round++) {
          const folder = `crash/${round}`
          const child = startChild('loop', under.url, folder)
          const begun = new Map<string, Set<string>>()
          const promised = new Set<string>()
          let puts = 0
          for await (const line of createInterface(child.stdout)) {
            const [word, key = '', digest = ''] = line.split(' ')
            if (word === 'begin') begun.set(key, (begun.get(key) ?? new Set()).add(digest))
            else promised.add(key)
            if (word === 'end' && puts++ === 2 + round) child.kill('SIGKILL')
          }
          const visible = await keysOf(store.list(`${folder}/`))
          for (const key of promised) expect(visible).toContain(key)
          for (const key of visible) expect(begun.get(key)).toContain(sha256(await read(key)))
        }
      },
    )

    test('lists many keys in order, and from the middle', { timeout: 300_000 }, async () => {
      const count = under.manyKeys ?? (process.env['AKASHI_LONG'] === '1' ? 100_000 : 20_000)
      const keys = Array.from({ length: count }, (_, n) => `many/${n % 7}/${n.toString(36)}`)
      await under.fill(keys)
      const sorted = [...keys].sort()
      expect(await keysOf(store.list('many/'))).toEqual(sorted)
      expect(await allOf(store.listFolders('many/'))).toEqual([0, 1, 2, 3, 4, 5, 6].map((n) => `many/${n}/`))
      const middle = Math.floor(count * 0.6)
      const next: string[] = []
      for await (const head of store.list('many/', { after: sorted[middle] ?? '' })) {
        next.push(head.key)
        if (next.length === 10) break
      }
      expect(next).toEqual(sorted.slice(middle + 1, middle + 11))
    })
  })
}
