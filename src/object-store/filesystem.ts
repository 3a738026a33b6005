import { constants } from 'node:fs'
import { type FileHandle, lstat, mkdir, open, readlink, rename, symlink, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { AkashiError, errno, folderOfFileUrl, given, syncFolder } from '../foundation/index.ts'
import { asStoreError, cannotRetain, damaged, isFolder, taken, throwIfCancelled } from './errors.ts'
import {
  folderOf,
  Layout,
  linkTarget,
  newNonce,
  newVersion,
  parseLinkTarget,
  type Version,
} from './filesystem-layout.ts'
import { removeStaleTemps } from './filesystem-sweep.ts'
import { walkFolders, walkKeys } from './filesystem-walk.ts'
import { assertFolder, assertKey, assertPrefix, resolveRange } from './key.ts'
import { receive } from './receive.ts'
import type { GetOptions, ListOptions, ObjectHead, ObjectStore, PutOptions } from './types.ts'
import { VerifiedReader } from './verified-reader.ts'

const FOLDER_MODE = 0o700
/** Links that `list` reads concurrently. */
const LIST_BATCH = 64
/** Size of the cache of folders known to be durable, which saves fsyncs. */
const MAX_REMEMBERED_FOLDERS = 10_000

export async function openFilesystemStore(url: string): Promise<ObjectStore> {
  const layout = new Layout(folderOfFileUrl(url))
  try {
    await makeDurably(layout.root)
    for (const folder of [layout.objects, layout.blobs, layout.temp]) await makeFolder(folder)
    await syncFolder(layout.root)
    await removeStaleTemps(layout)
  } catch (error) {
    throw asStoreError(error)
  }
  return new FilesystemStore(layout)
}

class FilesystemStore implements ObjectStore {
  readonly location: string
  readonly #layout: Layout
  readonly #durableFolders = new Set<string>()

  constructor(layout: Layout) {
    this.#layout = layout
    this.location = `file:${layout.root}`
  }

  async put(key: string, body: Readable | Uint8Array, options: PutOptions = {}): Promise<ObjectHead> {
    const nonce = newNonce()
    const temp = join(this.#layout.temp, nonce)
    try {
      assertKey(key)
      throwIfCancelled(options.signal, key)
      if (options.retainUntil !== undefined) throw cannotRetain(this.location)
      if (options.ifAbsent) await this.#assertAbsent(key)
      const received = await receive(temp, key, body, options)
      const version = newVersion(received.sha256, received.size, nonce)
      await this.#publish(key, temp, version, options)
      return headOf(key, version)
    } catch (error) {
      if (body instanceof Readable) body.destroy()
      await unlinkIfThere(temp)
      throw error
    }
  }

  async get(key: string, options: GetOptions = {}): Promise<Readable> {
    assertKey(key)
    throwIfCancelled(options.signal, key)
    const { file, version } = await this.#open(key)
    try {
      const { size } = await file.stat()
      if (size !== version.size) throw damaged(key, 'has a different size than when it was put')
      const { range } = options
      const part =
        range === undefined ? { start: 0, end: size, sha256: version.sha256 } : resolveRange(key, size, range)
      return new VerifiedReader(file, given({ key, signal: options.signal, ...part }))
    } catch (error) {
      await file.close()
      throw asStoreError(error)
    }
  }

  async head(key: string): Promise<ObjectHead | null> {
    assertKey(key)
    const version = await this.#find(key)
    return version === null || version === 'folder' ? null : headOf(key, version)
  }

  async *list(prefix: string, options: ListOptions = {}): AsyncIterable<ObjectHead> {
    assertPrefix(prefix)
    const { after = '', signal } = options
    let batch: string[] = []
    try {
      for await (const key of walkKeys(this.#layout.objects, prefix, after)) {
        throwIfCancelled(signal, prefix)
        batch.push(key)
        if (batch.length < LIST_BATCH) continue
        yield* await this.#heads(batch)
        batch = []
      }
    } catch (error) {
      throw asStoreError(error, prefix)
    }
    throwIfCancelled(signal, prefix)
    yield* await this.#heads(batch)
  }

  async *listFolders(folder: string, { signal }: Pick<ListOptions, 'signal'> = {}): AsyncIterable<string> {
    assertFolder(folder)
    try {
      for (const found of await walkFolders(this.#layout.objects, folder)) {
        throwIfCancelled(signal, folder)
        yield found
      }
    } catch (error) {
      throw asStoreError(error, folder)
    }
    throwIfCancelled(signal, folder)
  }

  async delete(key: string): Promise<void> {
    assertKey(key)
    const version = await this.#find(key)
    if (version === null || version === 'folder') return
    try {
      await unlinkIfThere(this.#layout.link(key))
      await syncFolder(dirname(this.#layout.link(key)))
      await unlinkIfThere(this.#layout.blob(key, version))
      await syncFolder(dirname(this.#layout.blob(key, version)))
    } catch (error) {
      throw asStoreError(error, key)
    }
  }

  async #heads(keys: readonly string[]): Promise<ObjectHead[]> {
    const heads = await Promise.all(keys.map((key) => this.head(key)))
    return heads.filter((head) => head !== null)
  }

  /** Fails early, before the body is received; what decides is the creation of the link. */
  async #assertAbsent(key: string): Promise<void> {
    const earlier = await this.#find(key)
    if (earlier === 'folder') throw isFolder(key)
    if (earlier !== null) throw taken(key)
  }

  /** The current version of the key: one system call, so digest, size and bytes are always consistent. */
  async #find(key: string): Promise<Version | 'folder' | null> {
    const path = this.#layout.link(key)
    try {
      const version = parseLinkTarget(key, await readlink(path))
      if (version !== null) return version
    } catch (error) {
      const code = errno(error)
      if (code === 'ENOENT' || code === 'ENOTDIR') return null
      if (code !== 'EINVAL') throw asStoreError(error, key)
      if ((await lstat(path)).isDirectory()) return 'folder'
    }
    throw new AkashiError('integrity', 'a file in the objects folder was not created by this store', {
      hint: 'remove it, or copy the store again with its symbolic links (cp -a, rsync -a, tar)',
      detail: { key },
    })
  }

  async #open(key: string): Promise<{ file: FileHandle; version: Version }> {
    let missed: Version | undefined
    for (;;) {
      const version = await this.#find(key)
      if (version === null || version === 'folder') {
        throw new AkashiError('not_found', 'no object with this key', { detail: { key } })
      }
      // A blob is removed only after its link was removed or replaced: missing behind an unchanged link, it is lost.
      if (version.blobName === missed?.blobName) throw damaged(key, 'has lost its bytes')
      try {
        return { file: await open(this.#layout.blob(key, version), constants.O_RDONLY), version }
      } catch (error) {
        if (errno(error) !== 'ENOENT') throw asStoreError(error, key)
        missed = version
      }
    }
  }

  async #publish(key: string, temp: string, version: Version, options: PutOptions): Promise<void> {
    const link = this.#layout.link(key)
    const blob = this.#layout.blob(key, version)
    try {
      await this.#makeFolders(this.#layout.objects, key)
      await this.#makeFolders(this.#layout.blobs, key)
      throwIfCancelled(options.signal, key)
      await rename(temp, blob)
      await syncFolder(dirname(blob))
      const replaced = options.ifAbsent
        ? await this.#linkIfAbsent(key, version)
        : await this.#linkOver(key, temp, version)
      await syncFolder(dirname(link))
      if (replaced !== null) await unlinkIfThere(this.#layout.blob(key, replaced))
    } catch (error) {
      const linked = await this.#find(key).catch(() => 'unknown' as const)
      const mine =
        linked === 'unknown' ||
        (linked !== null && linked !== 'folder' && linked.blobName === version.blobName)
      if (!mine) await unlinkIfThere(blob)
      if (errno(error) === 'ENOENT') this.#durableFolders.clear()
      throw asStoreError(error, key)
    }
  }

  /** symlink(2) fails if the name exists, so exactly one of many racing writers succeeds. */
  async #linkIfAbsent(key: string, version: Version): Promise<null> {
    try {
      await symlink(linkTarget(key, version), this.#layout.link(key))
    } catch (error) {
      if (errno(error) !== 'EEXIST') throw error
      const winner = await this.#find(key)
      if (winner === 'folder') throw isFolder(key)
      // On a network file system a retried request can report its own success as EEXIST.
      if (winner?.blobName !== version.blobName) throw taken(key)
    }
    return null
  }

  /** Returns the version it replaced. */
  async #linkOver(key: string, temp: string, version: Version): Promise<Version | null> {
    const earlier = await this.#find(key).catch((error: unknown) => {
      if (error instanceof AkashiError && error.code === 'integrity') return null
      throw error
    })
    if (earlier === 'folder') throw isFolder(key)
    await symlink(linkTarget(key, version), temp)
    await rename(temp, this.#layout.link(key))
    return earlier
  }

  /** Every level is synced even if another process created it, since that one may not have synced it yet. */
  async #makeFolders(tree: string, key: string): Promise<void> {
    let path = tree
    for (const segment of folderOf(key).split('/')) {
      if (segment === '') return
      path = join(path, segment)
      if (this.#durableFolders.has(path)) continue
      await makeFolder(path)
      if (!(await lstat(path)).isDirectory()) throw isFolder(key)
      await syncFolder(dirname(path))
      if (this.#durableFolders.size >= MAX_REMEMBERED_FOLDERS) this.#durableFolders.clear()
      this.#durableFolders.add(path)
    }
  }
}

async function makeDurably(root: string): Promise<void> {
  const outermost = await mkdir(root, { recursive: true, mode: FOLDER_MODE })
  if (outermost === undefined) return
  for (let path = root; path.length >= outermost.length; path = dirname(path)) await syncFolder(dirname(path))
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: FOLDER_MODE })
  } catch (error) {
    if (errno(error) !== 'EEXIST') throw error
  }
}

async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path)
  } catch (error) {
    if (errno(error) !== 'ENOENT') throw error
  }
}

function headOf(key: string, version: Version): ObjectHead {
  return { key, size: version.size, sha256: version.sha256, lastModified: version.lastModified }
}
