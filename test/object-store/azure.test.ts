import { randomBytes } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { BlobServiceClient, type ContainerClient } from '@azure/storage-blob'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { AkashiError, Secret } from '../../src/foundation/index.ts'
import { openAzureStore } from '../../src/object-store/azure.ts'
import { type ObjectStore, openObjectStore } from '../../src/object-store/index.ts'
import { RETRY_LIMITS } from '../../src/object-store/remote/retry.ts'
import { type Azurite, startAzurite } from '../support/azurite.ts'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import { describeObjectStore, inChunks, keysOf } from './conformance.ts'

const MEBIBYTE = 1024 * 1024
const URL = 'azblob://bucket/some/prefix'
const HASTY = { ...RETRY_LIMITS, pauseMs: 5, attemptMs: 3_000, totalMs: 20_000 }

function connection(azurite: Azurite, endpoint = azurite.url, key = azurite.key): string {
  return `DefaultEndpointsProtocol=http;AccountName=${azurite.account};AccountKey=${key};BlobEndpoint=${endpoint};`
}

async function makeContainer(text: string): Promise<ContainerClient> {
  const container = BlobServiceClient.fromConnectionString(text).getContainerClient('bucket')
  await container.create()
  return container
}

describeObjectStore('Azure', async () => {
  const azurite = await startAzurite()
  const text = connection(azurite)
  const container = await makeContainer(text)
  // For the processes that race for a key.
  process.env['AZURE_STORAGE_CONNECTION_STRING'] = text
  return {
    store: await openObjectStore(URL, { azureConnectionString: new Secret(text) }),
    url: URL,
    manyKeys: 2_500,
    async corrupt(key) {
      const blob = container.getBlockBlobClient(`some/prefix/${key}`)
      const [bytes, { metadata = {} }] = await Promise.all([blob.downloadToBuffer(), blob.getProperties()])
      bytes[1000] = (bytes[1000] ?? 0) ^ 1
      await blob.uploadData(bytes, { metadata })
    },
    async fill(keys) {
      for (let at = 0; at < keys.length; at += 50) {
        await Promise.all(
          keys.slice(at, at + 50).map((key) =>
            container.getBlockBlobClient(`some/prefix/${key}`).upload('x', 1, {
              metadata: { akashisha256: 'a'.repeat(64), akashiput: 'fill' },
            }),
          ),
        )
      }
    },
    dispose: async () => {
      delete process.env['AZURE_STORAGE_CONNECTION_STRING']
      await azurite.stop()
    },
  }
})

describe('Azure driver', () => {
  let azurite: Azurite
  let proxy: FaultProxy
  let store: ObjectStore
  let container: ContainerClient
  const openAs = (text: string) => openAzureStore(URL, new Secret(text), HASTY)
  beforeAll(async () => {
    azurite = await startAzurite()
    container = await makeContainer(connection(azurite))
    proxy = await startFaultProxy(azurite.url, (method, url) =>
      [method, url.searchParams.get('comp')].filter((part) => part !== null).join(' '),
    )
    store = await openAs(connection(azurite, proxy.url))
  })
  beforeEach(() => {
    proxy.faults.length = 0
  })
  afterAll(async () => {
    await proxy.stop()
    await azurite.stop()
  })
  const read = async (key: string) => buffer(await store.get(key))

  test('server errors, throttling, silence and broken connections are asked again', async () => {
    proxy.faults.push(
      { kind: 'status' },
      { kind: 'status', status: 503, code: 'ServerBusy' },
      { kind: 'hang' },
      { kind: 'lost', operation: 'PUT' },
      { kind: 'status', operation: 'HEAD' },
    )
    await store.put('again', Buffer.from('x'))
    expect(proxy.faults).toEqual([])
    expect((await read('again')).toString()).toBe('x')
  })

  test('a put-if-absent whose answer was lost is still this one’s', async () => {
    proxy.faults.push({ kind: 'lost', operation: 'PUT' })
    await store.put('lost/small', Buffer.from('x'), { ifAbsent: true })
    const bytes = randomBytes(17 * MEBIBYTE)
    proxy.faults.push({ kind: 'lost', operation: 'PUT blocklist' }, { kind: 'lost', operation: 'PUT block' })
    await store.put('lost/large', inChunks(bytes), { ifAbsent: true })
    expect(proxy.faults).toEqual([])
    expect((await read('lost/large')).equals(bytes)).toBe(true)
  })

  test('a get goes on where its connection broke or stalled', async () => {
    const bytes = randomBytes(3 * MEBIBYTE)
    await store.put('torn', bytes)
    for (const kind of ['torn', 'slow', 'torn'] as const) proxy.faults.push({ kind, operation: 'GET' })
    expect((await read('torn')).equals(bytes)).toBe(true)
    expect(proxy.faults).toEqual([])
    proxy.faults.push({ kind: 'torn', operation: 'GET' })
    const stream = await store.get('torn')
    await store.put('torn', Buffer.from('another'))
    await expect(buffer(stream)).rejects.toMatchObject({ code: 'conflict' })
  })

  test('names what is wrong, and no error repeats a secret', async () => {
    const seen: unknown[] = []
    const failing = async (work: () => Promise<unknown>, code: string) => {
      const error = await work().then(
        () => undefined,
        (reason: unknown) => reason,
      )
      expect(error).toMatchObject({ code })
      if (error instanceof AkashiError) seen.push(error.message, error.hint, error.detail, error.cause)
    }
    const wrongKey = Buffer.from('SECRET-WORD').toString('base64')
    const wrong = await openAs(connection(azurite, azurite.url, wrongKey))
    await failing(() => wrong.put('a', Buffer.from('x')), 'forbidden')
    await failing(() => wrong.head('a'), 'forbidden')
    await failing(() => wrong.get('a'), 'forbidden')
    await failing(() => keysOf(wrong.list('')), 'forbidden')
    await failing(() => wrong.delete('a'), 'forbidden')
    const down = await openAs(connection(azurite, 'http://127.0.0.1:1/akashitest'))
    await failing(() => down.put('a', Buffer.from('x')), 'unavailable')
    const text = new Secret(connection(azurite))
    const elsewhere = await openAzureStore('azblob://another', text, HASTY)
    await failing(() => elsewhere.put('a', Buffer.from('x')), 'invalid_config')
    await failing(() => openAs('AccountKey=SECRET-WORD'), 'invalid_config')
    await failing(() => openAzureStore(URL, undefined), 'invalid_config')
    await failing(() => openAzureStore('azblob://bucket?sig=SECRET-WORD', text), 'invalid_config')
    expect(JSON.stringify(seen)).not.toMatch(new RegExp(`SECRET-WORD|${wrongKey}|${azurite.key}`))
  })

  test('names a frozen object, and thaws it', async () => {
    await store.put('ice', Buffer.from('x'))
    await container.getBlobClient('some/prefix/ice').setAccessTier('Archive')
    expect(await store.head('ice')).toMatchObject({ frozen: true })
    await expect(store.get('ice')).rejects.toMatchObject({ code: 'unavailable', detail: { frozen: true } })
    expect(await store.thaw?.('ice')).toBe('thawing')
  })
})
