import { readlinkSync, symlinkSync } from 'node:fs'
import {
  copyFile,
  mkdtemp,
  open,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  truncate,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { PassThrough } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ObjectStore, openObjectStore, sweepObjectStore } from '../../src/object-store/index.ts'
import { describeObjectStore, keysOf, killAndWait, sha256, startChild } from './conformance.ts'

const TWO_DAYS_AGO = new Date(Date.now() - 2 * 24 * 60 * 60 * 1000)

describeObjectStore('filesystem', async () => {
  const root = await mkdtemp(join(tmpdir(), 'akashi-store-'))
  const url = `file:${root}`
  const store = await openObjectStore(url)
  return {
    store,
    url,
    async corrupt(key) {
      const file = await open(join(root, 'objects', key), 'r+')
      const byte = Buffer.alloc(1)
      await file.read(byte, 0, 1, 1000)
      await file.write(Buffer.from([byte.readUInt8() ^ 1]), 0, 1, 1000)
      await file.close()
    },
    async fill(keys) {
      const folders = Map.groupBy(keys, (key) => key.slice(0, key.lastIndexOf('/')))
      for (const [folder, members] of folders) {
        await store.put(`${folder}/seed`, Buffer.from('x'))
        const target = readlinkSync(join(root, 'objects', folder, 'seed'))
        for (const key of members) symlinkSync(target, join(root, 'objects', key))
        await unlink(join(root, 'objects', folder, 'seed'))
      }
    },
    dispose: () => rm(root, { recursive: true, force: true }),
  }
})

describe('filesystem driver', () => {
  let root: string
  let store: ObjectStore
  beforeAll(async () => {
    root = join(await mkdtemp(join(tmpdir(), 'akashi-store-')), 'new', 'store')
    store = await openObjectStore(`file:${root}`)
  })
  afterAll(() => rm(join(root, '..', '..'), { recursive: true, force: true }))
  const blobsOf = (folder: string) => readdir(join(root, 'blobs', folder))

  test('folders are 0700, files 0600', async () => {
    await store.put('modes/a', Buffer.from('x'))
    for (const folder of ['', 'objects', 'objects/modes', 'blobs', 'blobs/modes', 'temp']) {
      expect((await stat(join(root, folder))).mode & 0o777, folder).toBe(0o700)
    }
    expect((await stat(join(root, 'objects/modes/a'))).mode & 0o777).toBe(0o600)
  })

  test('an object is a plain file at its key, and its digest can be read off the link', async () => {
    await store.put('table/year=2024/a.parquet', Buffer.from('PAR1'))
    const path = join(root, 'objects/table/year=2024/a.parquet')
    expect(await readFile(path, 'utf8')).toBe('PAR1')
    expect(basename(await realpath(path))).toMatch(new RegExp(`^${sha256(Buffer.from('PAR1'))}-4-`))
  })

  test('an overwrite and a delete leave no bytes behind', async () => {
    await store.put('tidy/a', Buffer.from('1'))
    await store.put('tidy/a', Buffer.from('2'))
    expect((await blobsOf('tidy')).length).toBe(1)
    await expect(store.put('tidy/a', Buffer.from('3'), { ifAbsent: true })).rejects.toMatchObject({
      code: 'already_exists',
    })
    await store.delete('tidy/a')
    expect(await blobsOf('tidy')).toEqual([])
    expect(await readdir(join(root, 'temp'))).toEqual([])
  })

  test('a put that fails leaves no temporary file', async () => {
    const signal = AbortSignal.timeout(50)
    await expect(store.put('stalled', new PassThrough(), { signal })).rejects.toMatchObject({
      code: 'cancelled',
    })
    await expect(store.put('bad', Buffer.from('x'), { sha256: '0' })).rejects.toMatchObject({
      code: 'integrity',
    })
    expect(await readdir(join(root, 'temp'))).toEqual([])
  })

  test('a key and a folder of the same name exclude each other', async () => {
    await store.put('clash/a', Buffer.from('x'))
    await store.put('clash/b/c', Buffer.from('x'))
    for (const key of ['clash/a/b', 'clash/a/b/c', 'clash/b', 'clash']) {
      await expect(store.put(key, Buffer.from('y')), key).rejects.toMatchObject({ code: 'conflict' })
      await expect(store.put(key, Buffer.from('y'), { ifAbsent: true }), key).rejects.toMatchObject({
        code: 'conflict',
      })
      expect(await store.head(key), key).toBeNull()
      await store.delete(key)
    }
    expect(await keysOf(store.list('clash/'))).toEqual(['clash/a', 'clash/b/c'])
    expect((await blobsOf('clash')).filter((name) => name.includes('-')).length).toBe(1)
  })

  test('truncated, extended and lost bytes are found', async () => {
    for (const key of ['hurt/short', 'hurt/long', 'hurt/lost']) await store.put(key, Buffer.alloc(1000, 7))
    await truncate(join(root, 'objects/hurt/short'), 999)
    await writeFile(join(root, 'objects/hurt/long'), 'more', { flag: 'a' })
    await unlink(await realpath(join(root, 'objects/hurt/lost')))
    for (const key of ['hurt/short', 'hurt/long', 'hurt/lost']) {
      await expect(store.get(key), key).rejects.toMatchObject({ code: 'integrity' })
      await expect(store.get(key, { range: { start: 0, end: 1 } }), key).rejects.toMatchObject({
        code: 'integrity',
      })
      await store.put(key, Buffer.from('mended'))
      expect((await buffer(await store.get(key))).toString()).toBe('mended')
    }
  })

  test('a file or link that the store did not make is named, never served, and can be overwritten', async () => {
    await store.put('foreign/real', Buffer.from('x'))
    await writeFile(join(root, 'objects/foreign/file'), 'x')
    symlinkSync('/etc/hostname', join(root, 'objects/foreign/link'))
    symlinkSync(`../${readlinkSync(join(root, 'objects/foreign/real'))}`, join(root, 'objects/foreign/moved'))
    for (const key of ['foreign/file', 'foreign/link', 'foreign/moved']) {
      await expect(store.get(key), key).rejects.toMatchObject({ code: 'integrity', detail: { key } })
      await expect(store.head(key), key).rejects.toMatchObject({ code: 'integrity' })
      await expect(keysOf(store.list('foreign/'))).rejects.toMatchObject({ code: 'integrity' })
      await store.put(key, Buffer.from('mended'))
    }
    expect((await keysOf(store.list('foreign/'))).length).toBe(4)
  })

  test('opening removes old temporary files, sweeping also bytes that no key names; young ones stay', async () => {
    await store.put('sweep/kept', Buffer.from('kept'))
    const kept = await realpath(join(root, 'objects/sweep/kept'))
    const orphan = join(root, 'blobs/sweep', `${sha256(Buffer.from('o'))}-1-1-0123456789abcdef`)
    const files = [join(root, 'temp/old'), join(root, 'temp/young'), orphan, `${orphan.slice(0, -1)}e`]
    for (const file of files) await writeFile(file, 'o')
    for (const file of [files[0] ?? '', orphan, kept]) await utimes(file, TWO_DAYS_AGO, TWO_DAYS_AGO)
    const again = await openObjectStore(`file:${root}`)
    expect(await readdir(join(root, 'temp'))).toEqual(['young'])
    expect(await keysOf(again.list('sweep/'))).toEqual(['sweep/kept'])
    expect(await sweepObjectStore(`file:${root}`)).toEqual({ files: 1, bytes: 1 })
    expect((await blobsOf('sweep')).length).toBe(2)
    expect((await buffer(await again.get('sweep/kept'))).toString()).toBe('kept')
    await unlink(join(root, 'temp/young'))
  })

  test('sweeping spares the bytes of a folder whose links were lost or followed by a copy', async () => {
    for (const folder of ['copied', 'lost']) {
      await store.put(`${folder}/a`, Buffer.from('a'))
      await utimes(await realpath(join(root, 'objects', folder, 'a')), TWO_DAYS_AGO, TWO_DAYS_AGO)
    }
    await copyFile(join(root, 'objects/copied/a'), join(root, 'copy'))
    await unlink(join(root, 'objects/copied/a'))
    await copyFile(join(root, 'copy'), join(root, 'objects/copied/a'))
    await rm(join(root, 'objects/lost'), { recursive: true })
    await sweepObjectStore(`file:${root}`)
    expect((await blobsOf('copied')).length).toBe(1)
    expect((await blobsOf('lost')).length).toBe(1)
    await rm(join(root, 'objects/copied'), { recursive: true })
  })

  test('what a killed process left is swept once it is old', async () => {
    const child = startChild('stall', `file:${root}`, 'killed')
    for await (const line of child.stdout) if (String(line).includes('stalled')) break
    await killAndWait(child)
    const [temp = ''] = await readdir(join(root, 'temp'))
    expect((await stat(join(root, 'temp', temp))).size).toBeGreaterThan(0)
    await utimes(join(root, 'temp', temp), TWO_DAYS_AGO, TWO_DAYS_AGO)
    await sweepObjectStore(`file:${root}`)
    expect(await readdir(join(root, 'temp'))).toEqual([])
  })

  test('folders removed behind an open store are made again', async () => {
    await store.put('again/a', Buffer.from('a'))
    for (const tree of ['objects', 'blobs']) await rm(join(root, tree, 'again'), { recursive: true })
    await store.put('again/a', Buffer.from('b')).catch(() => {})
    await store.put('again/a', Buffer.from('c'))
    expect((await buffer(await store.get('again/a'))).toString()).toBe('c')
  })

  test('a store that is moved keeps its objects', async () => {
    const moved = join(root, '..', 'moved')
    const other = join(root, '..', 'other')
    const first = await openObjectStore(`file:${other}`)
    await first.put('a/b/c', Buffer.from('x'))
    await rename(other, moved)
    const second = await openObjectStore(`file://${moved}`)
    expect((await buffer(await second.get('a/b/c'))).toString()).toBe('x')
  })

  test('refuses other schemes and folders that are not absolute, repeating no credentials', async () => {
    const ftp = openObjectStore('ftp://KEY:SECRET@host/prefix')
    await expect(ftp).rejects.toMatchObject({
      code: 'unsupported',
      hint: 'accepted: file:, s3:, gs:, azblob:',
    })
    await expect(ftp).rejects.not.toThrow(/SECRET/)
    for (const url of [
      'file:objects',
      'file:./a',
      'file://host/a',
      'file:/a?b',
      'file:/a#b',
      '/a',
      '',
      'file:',
      'file:/a%2Fb',
    ]) {
      await expect(openObjectStore(url), url).rejects.toMatchObject({ code: 'invalid_config' })
    }
    await writeFile(join(root, '..', 'file'), '')
    await expect(openObjectStore(`file:${join(root, '..', 'file', 'store')}`)).rejects.toMatchObject({
      code: 'unavailable',
    })
    const spaced = await openObjectStore(`file:${join(root, '..', 'with%20space')}`)
    expect((await spaced.put('a', Buffer.from('x'))).size).toBe(1)
    expect(await readdir(join(root, '..', 'with space'))).toContain('objects')
  })
})
