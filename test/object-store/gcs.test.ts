import { randomBytes } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { AkashiError } from '../../src/foundation/index.ts'
import { openGcsStore } from '../../src/object-store/gcs.ts'
import { type ObjectStore, openObjectStore } from '../../src/object-store/index.ts'
import { RETRY_LIMITS } from '../../src/object-store/remote/retry.ts'
import { type GcsServer, startGcs } from '../support/gcs-server.ts'
import { describeObjectStore, inChunks, keysOf, sha256 } from './conformance.ts'

const MEBIBYTE = 1024 * 1024
const HASTY = { ...RETRY_LIMITS, pauseMs: 5, attemptMs: 3_000, totalMs: 20_000 }

function urlOf(server: GcsServer, rest = ''): string {
  return `gs://bucket/some/prefix?endpoint=${encodeURIComponent(server.endpoint)}${rest}`
}

describeObjectStore('Google Cloud Storage', async () => {
  const server = await startGcs('bucket')
  const url = urlOf(server)
  return {
    store: await openObjectStore(url),
    url,
    manyKeys: 2_500,
    async corrupt(key) {
      const object = server.objects.get(`some/prefix/${key}`)
      if (object === undefined) throw new Error('no such object')
      const bytes = Buffer.from(object.bytes)
      bytes[1000] = (bytes[1000] ?? 0) ^ 1
      server.objects.set(`some/prefix/${key}`, { ...object, bytes })
    },
    async fill(keys) {
      const store = await openObjectStore(url)
      await store.put('seed', Buffer.from('x'))
      const seed = server.objects.get('some/prefix/seed')
      if (seed === undefined) throw new Error('no seed')
      for (const key of keys) server.objects.set(`some/prefix/${key}`, seed)
      await store.delete('seed')
    },
    unfinished: () => server.sessions.size,
    dispose: () => server.stop(),
  }
})

describe('Google Cloud Storage driver', () => {
  let server: GcsServer
  let store: ObjectStore
  beforeAll(async () => {
    server = await startGcs('bucket')
    store = await openGcsStore(urlOf(server), HASTY)
  })
  beforeEach(() => {
    server.faults.length = 0
  })
  afterAll(() => server.stop())
  const read = async (key: string) => buffer(await store.get(key))

  test('server errors, throttling, silence and broken connections are asked again', async () => {
    server.faults.push(
      { kind: 'status' },
      { kind: 'status', status: 429 },
      { kind: 'hang' },
      { kind: 'lost', operation: 'insert' },
      { kind: 'status', operation: 'get' },
    )
    await store.put('again', Buffer.from('x'))
    expect(server.faults).toEqual([])
    expect((await read('again')).toString()).toBe('x')
  })

  test('a put-if-absent whose answer was lost is still this one’s', async () => {
    server.faults.push({ kind: 'lost', operation: 'insert' })
    await store.put('lost', Buffer.from('x'), { ifAbsent: true })
    expect(server.faults).toEqual([])
    await expect(store.put('lost', Buffer.from('x'), { ifAbsent: true })).rejects.toMatchObject({
      code: 'already_exists',
    })
  })

  test('a resumable upload goes on after a fault', async () => {
    const bytes = randomBytes(20 * MEBIBYTE)
    server.faults.push({ kind: 'status', status: 503, operation: 'chunk' })
    await store.put('parts', inChunks(bytes), { sha256: sha256(bytes) })
    expect(server.faults).toEqual([])
    expect((await read('parts')).equals(bytes)).toBe(true)
    server.faults.push({ kind: 'status', status: 403, operation: 'chunk' })
    await expect(store.put('denied', inChunks(bytes), { sha256: sha256(bytes) })).rejects.toMatchObject({
      code: 'forbidden',
    })
    expect(await store.head('denied')).toBeNull()
    expect(server.sessions.size).toBe(0)
  })

  test('a get goes on where its connection broke or stalled, with the same version or not at all', async () => {
    const bytes = randomBytes(3 * MEBIBYTE)
    await store.put('torn', bytes)
    for (const kind of ['torn', 'slow', 'torn'] as const) server.faults.push({ kind, operation: 'media' })
    expect((await read('torn')).equals(bytes)).toBe(true)
    expect(server.faults).toEqual([])
    server.faults.push({ kind: 'torn', operation: 'media' })
    const stream = await store.get('torn')
    await store.put('torn', Buffer.from('another'))
    await expect(buffer(stream)).rejects.toMatchObject({ code: 'conflict' })
  })

  test('names what is wrong, and repeats no secret', async () => {
    const denied = (status: number) => {
      server.faults.push({ kind: 'status', status })
    }
    denied(403)
    await expect(store.put('a', Buffer.from('x'))).rejects.toMatchObject({ code: 'forbidden' })
    denied(401)
    await expect(store.get('a')).rejects.toMatchObject({ code: 'forbidden' })
    denied(403)
    await expect(keysOf(store.list(''))).rejects.toMatchObject({ code: 'forbidden' })
    denied(403)
    await expect(store.delete('a')).rejects.toMatchObject({ code: 'forbidden' })
    const down = await openGcsStore('gs://bucket?endpoint=http://127.0.0.1:1', HASTY)
    await expect(down.put('a', Buffer.from('x'))).rejects.toMatchObject({ code: 'unavailable' })
    for (const url of [
      'gs://K:SECRET-WORD@bucket',
      'gs://bucket?token=SECRET-WORD',
      'gs://bucket?region=x',
    ]) {
      const error = await openObjectStore(url).catch((reason: unknown) => reason)
      expect(error).toMatchObject({ code: 'invalid_config' })
      if (error instanceof AkashiError) expect(`${error.message} ${error.hint}`).not.toContain('SECRET-WORD')
    }
  })

  test('sends the storage class and the key of the URL', async () => {
    const cold = await openGcsStore(urlOf(server, '&storageClass=COLDLINE'), HASTY)
    await cold.put('cold', Buffer.from('x'))
    expect(server.objects.get('some/prefix/cold')?.fields).toMatchObject({ storageClass: 'COLDLINE' })
  })

  test('says at once that there are no credentials', async () => {
    const kept = process.env['GOOGLE_APPLICATION_CREDENTIALS']
    process.env['GOOGLE_APPLICATION_CREDENTIALS'] = '/nowhere/credentials.json'
    try {
      await expect(openGcsStore('gs://bucket', HASTY)).rejects.toMatchObject({ code: 'forbidden' })
    } finally {
      if (kept === undefined) delete process.env['GOOGLE_APPLICATION_CREDENTIALS']
      else process.env['GOOGLE_APPLICATION_CREDENTIALS'] = kept
    }
  })
})
