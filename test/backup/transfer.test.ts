import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { putWithRetries, readObject } from '../../src/backup/store/transfer.ts'
import { type ObjectStore, openObjectStore } from '../../src/object-store/index.ts'

let folder = ''
let store: ObjectStore

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'akashi-transfer-'))
  store = await openObjectStore(`file:${folder}`)
})

afterAll(() => rm(folder, { recursive: true, force: true }))

const original = Buffer.from('0123456789abcdef')
const altered = Buffer.from('0123456789abcdeX')

it.each([
  ['whole', original],
  ['in pieces', [original.subarray(0, 5), original.subarray(5)]],
])(
  'an object put %s that was altered on its way is refused by the store and put again',
  async (name, body) => {
    let attempts = 0
    const line: ObjectStore = {
      ...store,
      put: (key, bytes, options) => {
        attempts += 1
        return store.put(key, attempts === 1 ? altered : bytes, options)
      },
    }
    const key = `objects/${name.replace(' ', '-')}`
    await putWithRetries(line, key, body)
    expect(attempts).toBe(2)
    expect(await readObject(store, key)).toEqual(original)
  },
)

it('one that is altered each time is not stored', async () => {
  const line: ObjectStore = { ...store, put: (key, _, options) => store.put(key, altered, options) }
  await expect(putWithRetries(line, 'objects/never', original)).rejects.toMatchObject({ code: 'integrity' })
  expect(await store.head('objects/never')).toBeNull()
})
