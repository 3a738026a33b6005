import { randomBytes } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { AkashiError } from '../../src/foundation/index.ts'
import { type ObjectStore, openObjectStore } from '../../src/object-store/index.ts'
import { RETRY_LIMITS } from '../../src/object-store/remote/retry.ts'
import { openS3Store } from '../../src/object-store/s3.ts'
import { type S3Server, startS3 } from '../support/s3-server.ts'
import { describeObjectStore, inChunks, keysOf, sha256 } from './conformance.ts'

const MEBIBYTE = 1024 * 1024
const SIGNER = { accessKeyId: 'AKIATEST', secretAccessKey: 'test/secret+key', region: 'ap-northeast-1' }
const EARLIER = { ...process.env }
const HASTY = { ...RETRY_LIMITS, pauseMs: 5, attemptMs: 3_000, totalMs: 20_000 }
/** Short enough for every attempt of one request to end in silence. */
const IMPATIENT = { ...HASTY, attemptMs: 300 }

function urlOf(server: S3Server, rest = ''): string {
  const endpoint = encodeURIComponent(server.endpoint)
  return `s3://bucket/some/prefix?endpoint=${endpoint}&region=${SIGNER.region}&pathStyle=true${rest}`
}

beforeAll(() => {
  process.env['AWS_ACCESS_KEY_ID'] = SIGNER.accessKeyId
  process.env['AWS_SECRET_ACCESS_KEY'] = SIGNER.secretAccessKey
})
afterAll(() => {
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) {
    if (EARLIER[name] === undefined) delete process.env[name]
    else process.env[name] = EARLIER[name]
  }
})

describeObjectStore('S3', async () => {
  const server = await startS3('bucket', SIGNER)
  const url = urlOf(server)
  return {
    store: await openObjectStore(url),
    url,
    manyKeys: 2_500,
    async corrupt(key) {
      const object = server.objects.get(`some/prefix/${key}`)
      if (object === undefined) throw new Error('no such object')
      object.bytes = Buffer.from(object.bytes)
      object.bytes[1000] = (object.bytes[1000] ?? 0) ^ 1
    },
    async fill(keys) {
      const store = await openObjectStore(url)
      await store.put('seed', Buffer.from('x'))
      const seed = server.objects.get('some/prefix/seed')
      if (seed === undefined) throw new Error('no seed')
      for (const key of keys) server.objects.set(`some/prefix/${key}`, seed)
      await store.delete('seed')
    },
    unfinished: () => server.uploads.size,
    dispose: () => server.stop(),
  }
})

describe('S3 driver', () => {
  let server: S3Server
  let store: ObjectStore
  beforeAll(async () => {
    server = await startS3('bucket', SIGNER)
    store = await openS3Store(urlOf(server), HASTY)
  })
  beforeEach(() => {
    server.faults.length = 0
    server.operations.length = 0
    server.skewMs = 0
  })
  afterAll(() => server.stop())
  const objectAt = (key: string) => server.objects.get(`some/prefix/${key}`)
  const read = async (key: string) => buffer(await store.get(key))

  test('server errors, throttling, silence and broken connections are asked again', async () => {
    server.faults.push(
      { kind: 'status' },
      { kind: 'status', status: 503, code: 'SlowDown' },
      { kind: 'hang' },
      { kind: 'lost', operation: 'PutObject' },
      { kind: 'status', operation: 'HeadObject', status: 500 },
    )
    await store.put('again', Buffer.from('x'))
    expect(server.faults).toEqual([])
    expect((await read('again')).toString()).toBe('x')
  })

  test('a put-if-absent whose answer was lost is still this one’s', async () => {
    server.faults.push({ kind: 'lost', operation: 'PutObject' })
    await store.put('lost/small', Buffer.from('x'), { ifAbsent: true })
    server.faults.push({ kind: 'lost', operation: 'CompleteMultipartUpload' })
    const bytes = randomBytes(17 * MEBIBYTE)
    await store.put('lost/large', inChunks(bytes), { ifAbsent: true })
    expect((await read('lost/large')).equals(bytes)).toBe(true)
    expect(server.faults).toEqual([])
    await expect(store.put('lost/small', Buffer.from('x'), { ifAbsent: true })).rejects.toMatchObject({
      code: 'already_exists',
    })
  })

  test('two conditional writes that hinder each other are tried again', async () => {
    const conflict = { kind: 'status', status: 409, code: 'ConditionalRequestConflict' } as const
    server.faults.push({ ...conflict, operation: 'PutObject' }, { ...conflict, operation: 'PutObject' })
    await store.put('hindered', Buffer.from('x'), { ifAbsent: true })
    expect((await read('hindered')).toString()).toBe('x')
    server.faults.push({ ...conflict, operation: 'PutObject' })
    await expect(store.put('hindered', Buffer.from('y'), { ifAbsent: true })).rejects.toMatchObject({
      code: 'already_exists',
    })
  })

  test('a part that fails is sent again; one that fails for good takes the upload away', async () => {
    const bytes = randomBytes(20 * MEBIBYTE)
    server.faults.push({ kind: 'status', operation: 'UploadPart' }, { kind: 'lost', operation: 'UploadPart' })
    await store.put('parts', inChunks(bytes), { sha256: sha256(bytes) })
    expect((await read('parts')).equals(bytes)).toBe(true)
    server.faults.push({ kind: 'status', operation: 'UploadPart', status: 403, code: 'AccessDenied' })
    await expect(store.put('denied', inChunks(bytes), { sha256: sha256(bytes) })).rejects.toMatchObject({
      code: 'forbidden',
    })
    expect(server.uploads.size).toBe(0)
    expect(await store.head('denied')).toBeNull()
  })

  test('a get goes on where its connection broke or stalled, with the same version or not at all', async () => {
    const bytes = randomBytes(3 * MEBIBYTE)
    await store.put('torn', bytes)
    server.faults.push(
      { kind: 'torn', operation: 'GetObject' },
      { kind: 'slow', operation: 'GetObject' },
      { kind: 'torn', operation: 'GetObject' },
    )
    expect((await read('torn')).equals(bytes)).toBe(true)
    expect(server.operations.filter((name) => name === 'GetObject').length).toBe(4)

    server.faults.push({ kind: 'torn', operation: 'GetObject' })
    const stream = await store.get('torn')
    await store.put('torn', Buffer.from('another'))
    await expect(buffer(stream)).rejects.toMatchObject({ code: 'conflict' })
    for (let n = 0; n < 20; n++) server.faults.push({ kind: 'torn', operation: 'GetObject' })
    await store.put('torn', bytes)
    await expect(read('torn')).rejects.toMatchObject({ code: 'unavailable' })
  })

  test('gives up after its limits, with what to do', async () => {
    const down = Array.from({ length: RETRY_LIMITS.attempts }, () => ({ kind: 'status' }) as const)
    server.faults.push(...down)
    await expect(store.head('a')).rejects.toMatchObject({
      code: 'unavailable',
      hint: 'check that s3://bucket/some/prefix can be reached',
    })
    server.faults.push(...down.map(() => ({ kind: 'hang' }) as const))
    const impatient = await openS3Store(urlOf(server), IMPATIENT)
    await expect(impatient.head('a')).rejects.toMatchObject({ code: 'timeout' })
    server.faults.push(...down.map((fault) => ({ ...fault, status: 503, code: 'SlowDown' })))
    await expect(store.get('a')).rejects.toMatchObject({ code: 'rate_limited' })
    const gone = await openS3Store(
      's3://bucket?endpoint=http://127.0.0.1:1&region=ap-northeast-1&pathStyle=true',
      HASTY,
    )
    await expect(gone.put('a', Buffer.from('x'))).rejects.toMatchObject({
      code: 'unavailable',
      detail: { reason: 'ECONNREFUSED' },
    })
  })

  test('waiting for another attempt ends when the caller cancels', async () => {
    const patient = await openS3Store(urlOf(server), {
      ...RETRY_LIMITS,
      pauseMs: 60_000,
      longestPauseMs: 60_000,
    })
    server.faults.push({ kind: 'status' })
    const control = new AbortController()
    const put = patient.put('waiting', Buffer.from('x'), { signal: control.signal })
    setTimeout(() => control.abort(), 50)
    await expect(put).rejects.toMatchObject({ code: 'cancelled' })
  })

  test('a clock that is wrong by hours does not matter', async () => {
    server.skewMs = 5 * 60 * 60 * 1000
    const late = await openS3Store(urlOf(server), HASTY)
    const { lastModified } = await late.put('skewed', Buffer.from('x'))
    expect(lastModified.getTime()).toBeGreaterThan(Date.now() + 4 * 60 * 60 * 1000)
  })

  test('wrong credentials, bucket and region are told apart, and no error repeats a secret', async () => {
    const seen: unknown[] = []
    const failing = async (work: () => Promise<unknown>, code: string) => {
      const error = await work().then(
        () => undefined,
        (reason: unknown) => reason,
      )
      expect(error).toMatchObject({ code })
      if (error instanceof AkashiError) seen.push(error.message, error.hint, error.detail, error.cause)
    }
    const opened = async (url: string) => (await openS3Store(url, HASTY)).put('a', Buffer.from('x'))
    process.env['AWS_SECRET_ACCESS_KEY'] = 'wrong-secret'
    const wrong = await openS3Store(urlOf(server), HASTY)
    await failing(() => wrong.put('a', Buffer.from('x')), 'forbidden')
    await failing(() => wrong.get('a'), 'forbidden')
    await failing(() => wrong.head('a'), 'forbidden')
    await failing(() => keysOf(wrong.list('')), 'forbidden')
    await failing(() => wrong.delete('a'), 'forbidden')
    process.env['AWS_SECRET_ACCESS_KEY'] = SIGNER.secretAccessKey
    await failing(() => opened(urlOf(server).replace('//bucket', '//another')), 'invalid_config')
    await failing(() => opened(urlOf(server).replace('ap-northeast-1', 'us-east-2')), 'invalid_config')
    for (const url of [
      's3://KEY:SECRET-WORD@bucket/prefix?region=a',
      's3://bucket?secretAccessKey=SECRET-WORD',
      's3://bucket?endpoint=http://KEY:SECRET-WORD@host',
      's3://bucket?SECRET-WORD=1',
      's3://bucket?storageClass=SECRET-WORD',
      's3://bucket/a//b',
      's3://bucket?region=a&region=b',
      's3://bucket?endpoint=host',
      's3:bucket',
      's3://',
    ]) {
      await failing(() => openObjectStore(url), 'invalid_config')
    }
    expect(JSON.stringify(seen)).not.toMatch(/SECRET-WORD|wrong-secret|test\/secret|Signature=/)
  })

  test('sends storage class, key and object lock as the URL and the caller say', async () => {
    const url = urlOf(server, '&storageClass=STANDARD_IA&kmsKey=alias/archive&objectLock=governance')
    const locked = await openS3Store(url, HASTY)
    const retainUntil = new Date('2033-01-01T00:00:00Z')
    const expected = {
      'x-amz-storage-class': 'STANDARD_IA',
      'x-amz-server-side-encryption': 'aws:kms',
      'x-amz-server-side-encryption-aws-kms-key-id': 'alias/archive',
      'x-amz-object-lock-mode': 'GOVERNANCE',
      'x-amz-object-lock-retain-until-date': '2033-01-01T00:00:00Z',
    }
    const large = randomBytes(17 * MEBIBYTE)
    await locked.put('locked/small', Buffer.from('x'), { retainUntil })
    await locked.put('locked/large', large, { retainUntil })
    for (const key of ['locked/small', 'locked/large']) {
      expect(objectAt(key)?.headers).toMatchObject(expected)
    }
    expect((await buffer(await locked.get('locked/large'))).equals(large)).toBe(true)
    await locked.put('locked/not', Buffer.from('x'))
    expect(Object.keys(objectAt('locked/not')?.headers ?? {}).join()).not.toContain('lock')
  })

  test('names a frozen object, and thaws it', async () => {
    const deep = await openS3Store(urlOf(server, '&storageClass=DEEP_ARCHIVE'), HASTY)
    expect(await deep.put('ice', Buffer.from('x'))).toMatchObject({ frozen: true })
    await expect(deep.get('ice')).rejects.toMatchObject({
      code: 'unavailable',
      detail: { key: 'ice', frozen: true },
      hint: 'thaw it, which takes hours, then try again',
    })
    expect(await deep.thaw?.('ice')).toBe('thawing')
    expect(await deep.thaw?.('ice')).toBe('thawing')
    const object = objectAt('ice')
    if (object !== undefined) object.restore = 'done'
    expect(await deep.thaw?.('ice')).toBe('readable')
    expect(await deep.head('ice')).not.toHaveProperty('frozen')
    expect((await buffer(await deep.get('ice'))).toString()).toBe('x')
    await expect(deep.thaw?.('nothing')).rejects.toMatchObject({ code: 'not_found' })
  })

  test('what a HEAD does not find after a put is not stored', async () => {
    server.operations.length = 0
    server.faults.push({ operation: 'HeadObject', kind: 'status', status: 404, code: 'NotFound' })
    await expect(store.put('lying', Buffer.from('x'))).rejects.toMatchObject({ code: 'unavailable' })
  })

  test('a listing costs a request a page, and no HEAD', async () => {
    for (const key of ['page/a', 'page/b', 'page/c']) await store.put(key, Buffer.from(key))
    server.operations.length = 0
    expect(await keysOf(store.list('page/'))).toEqual(['page/a', 'page/b', 'page/c'])
    expect(server.operations).toEqual(['ListObjectsV2'])
  })

  test('objects that were copied without their metadata can be read', async () => {
    await store.put('foreign/seed', Buffer.from('x'))
    const seed = objectAt('foreign/seed')
    if (seed === undefined) throw new Error('no seed')
    server.objects.set('some/prefix/foreign/theirs', { ...seed, headers: {} })
    server.objects.set('some/prefix/foreign/', { ...seed, headers: {} })
    expect(await store.head('foreign/theirs')).toMatchObject({
      size: 1,
      sha256: (await store.head('foreign/seed'))?.sha256,
    })
    expect(String(await buffer(await store.get('foreign/theirs')))).toBe('x')
    expect(await keysOf(store.list('foreign/'))).toEqual(['foreign/seed', 'foreign/theirs'])
    await store.delete('foreign/theirs')
    expect(await keysOf(store.list('foreign/'))).toEqual(['foreign/seed'])
  })
})
