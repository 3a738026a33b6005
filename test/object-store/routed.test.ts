import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { type ObjectStore, openObjectStore, routedStore } from '../../src/object-store/index.ts'
import { allOf, keysOf } from './conformance.ts'

const folders: string[] = []
let main: ObjectStore
let other: ObjectStore
let both: ObjectStore

async function newStore(): Promise<ObjectStore> {
  const folder = await mkdtemp(join(tmpdir(), 'akashi-routed-'))
  folders.push(folder)
  return await openObjectStore(`file:${folder}`)
}

beforeEach(async () => {
  main = await newStore()
  other = await newStore()
  both = routedStore(main, 'b/cold/', async () => other)
})
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})

const foldersOf = (folder: string) => allOf(both.listFolders(folder))

test('what is below the folder is in the second store, and listings are one', async () => {
  for (const key of ['a', 'b/cold/1/x', 'b/hot/1/x', 'b/cold/2/x', 'c']) await both.put(key, Buffer.from(key))
  expect(await keysOf(main.list(''))).toEqual(['a', 'b/hot/1/x', 'c'])
  expect(await keysOf(other.list(''))).toEqual(['b/cold/1/x', 'b/cold/2/x'])
  expect(await keysOf(both.list(''))).toEqual(['a', 'b/cold/1/x', 'b/cold/2/x', 'b/hot/1/x', 'c'])
  expect(await keysOf(both.list('b/c'))).toEqual(['b/cold/1/x', 'b/cold/2/x'])
  expect(await keysOf(both.list('', { after: 'b/cold/1/x' }))).toEqual(['b/cold/2/x', 'b/hot/1/x', 'c'])
  expect(await foldersOf('')).toEqual(['b/'])
  expect(await foldersOf('b/')).toEqual(['b/cold/', 'b/hot/'])
  expect(await foldersOf('b/cold/')).toEqual(['b/cold/1/', 'b/cold/2/'])
  expect((await buffer(await both.get('b/cold/2/x'))).toString()).toBe('b/cold/2/x')
  expect(await both.head('b/cold/9')).toBeNull()
  await both.delete('b/cold/1/x')
  expect(await keysOf(other.list(''))).toEqual(['b/cold/2/x'])
})

test('what the first store had before stays there, and of the second nothing else counts', async () => {
  await main.put('b/cold/1/old', Buffer.from('old'))
  await other.put('b/hot/1/theirs', Buffer.from('theirs'))
  await other.put('z/theirs', Buffer.from('theirs'))
  await both.put('b/cold/1/new', Buffer.from('new'))
  expect(await keysOf(both.list(''))).toEqual(['b/cold/1/new', 'b/cold/1/old'])
  expect(await foldersOf('b/')).toEqual(['b/cold/'])
  expect((await buffer(await both.get('b/cold/1/old'))).toString()).toBe('old')
  expect(await both.head('b/hot/1/theirs')).toBeNull()
  await both.delete('b/cold/1/old')
  expect(await keysOf(both.list(''))).toEqual(['b/cold/1/new'])
})

test('a second store that is away stops only what needs it, and is tried again', async () => {
  let away = true
  const routed = routedStore(main, 'b/cold/', async () => {
    if (away) throw new Error('away')
    return other
  })
  await routed.put('a', Buffer.from('a'))
  expect(await routed.head('a')).not.toBeNull()
  expect(await keysOf(routed.list('a'))).toEqual(['a'])
  await expect(routed.put('b/cold/1', Buffer.from('x'))).rejects.toThrow('away')
  // A part of a listing would pass for the whole.
  await expect(keysOf(routed.list(''))).rejects.toThrow('away')
  away = false
  await routed.put('b/cold/1', Buffer.from('x'))
  expect(await keysOf(routed.list(''))).toEqual(['a', 'b/cold/1'])
})
