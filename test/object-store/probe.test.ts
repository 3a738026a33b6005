import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ObjectStore, openObjectStore, probeObjectStore } from '../../src/object-store/index.ts'
import { keysOf } from './conformance.ts'

let root: string
let store: ObjectStore
const never = new AbortController().signal

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'akashi-probe-'))
  store = await openObjectStore(`file:${root}`)
})
afterAll(() => rm(root, { recursive: true, force: true }))

/** The store with one verb that does not keep its promise. */
function broken(verbs: Partial<ObjectStore>): ObjectStore {
  return {
    location: store.location,
    put: store.put.bind(store),
    get: store.get.bind(store),
    listFolders: store.listFolders.bind(store),
    head: store.head.bind(store),
    list: store.list.bind(store),
    delete: store.delete.bind(store),
    ...verbs,
  }
}

test('a store in order passes, and nothing is left', async () => {
  await probeObjectStore(store, never)
  expect(await keysOf(store.list(''))).toEqual([])
})

test('a store that ignores put-if-absent is found, and cleaned up all the same', async () => {
  const careless = broken({ put: (key, body) => store.put(key, body) })
  await expect(probeObjectStore(careless, never)).rejects.toMatchObject({ code: 'unsupported' })
  expect(await keysOf(store.list(''))).toEqual([])
})

test('a store that gives back other bytes, or keeps what was deleted, is found', async () => {
  const corrupting = broken({ get: () => Promise.resolve(Readable.from([Buffer.from('other')])) })
  await expect(probeObjectStore(corrupting, never)).rejects.toMatchObject({ code: 'integrity' })
  const keeping = broken({ delete: () => Promise.resolve() })
  await expect(probeObjectStore(keeping, never)).rejects.toMatchObject({ code: 'unsupported' })
})
