/** Archived objects on this machine: fetched whole, named by their SHA-256, the least used removed first. */
import { createHash, randomUUID } from 'node:crypto'
import { lstat, mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { AkashiError } from '../../foundation/index.ts'
import type { ObjectStore } from '../../object-store/index.ts'
import { fetchObject, hashFile } from '../archive/parts.ts'
import { CACHE_BYTES, CACHE_GRACE_MS, FETCHES, KEPT_STATES } from './limits.ts'

export interface CachedObject {
  readonly key: string
  readonly bytes: number
  readonly sha256: string
}

export interface Cache {
  /**
   * Fetches objects that are missing, or whose file no longer matches. `conflict` names the objects that are
   * frozen, once all others are there, so that a second attempt continues from there.
   *
   * @returns the files in the order of the objects
   */
  fetch(
    objects: readonly CachedObject[],
    options: { readonly signal: AbortSignal; readonly onBytes?: (bytes: number) => void },
  ): Promise<readonly string[]>
}

const OWNER_ONLY = 0o700
const SHARED_BITS = 0o077

/** The cache folder of this account, accessible to nobody else. */
export async function cacheFolder(folder?: string): Promise<string> {
  const path = folder ?? join(tmpdir(), `akashi-query-${userInfo().uid}`)
  await mkdir(path, { recursive: true, mode: OWNER_ONLY })
  const found = await lstat(path)
  const own = process.getuid === undefined || found.uid === process.getuid()
  if (!found.isDirectory() || !own || (process.platform !== 'win32' && (found.mode & SHARED_BITS) !== 0)) {
    throw new AkashiError('invalid_config', `${path} is not a private folder of this account`, {
      hint: 'remove it, or make this account its owner with mode 700',
    })
  }
  return path
}

/** @param limit maximum bytes in the cache */
export function openCache(folder: string, store: ObjectStore, limit = CACHE_BYTES): Cache {
  /** Concurrent queries share a download; if the first one is cancelled, another one starts it again. */
  const underWay = new Map<string, Promise<void>>()
  /** State of each file when its bytes were last compared with their hash. */
  const checked = new Map<string, string>()
  const isIntact = async (file: string, sha256: string): Promise<boolean> => {
    const found = await stateOf(file)
    if (found === undefined) return false
    if (checked.get(file) === found) return true
    const hash = createHash('sha256')
    // Files that cannot be read are fetched again.
    const read = await hashFile(file, hash).then(
      () => true,
      () => false,
    )
    return read && hash.digest('hex') === sha256
  }
  const fetchOne = async (object: CachedObject, file: string, signal: AbortSignal) => {
    if (await isIntact(file, object.sha256)) {
      const now = new Date()
      await utimes(file, now, now)
      return remember(file)
    }
    const partial = join(folder, `${randomUUID()}.part`)
    try {
      await fetchObject(store, object, partial, signal)
      await rename(partial, file)
      await remember(file)
    } finally {
      await rm(partial, { force: true })
    }
  }
  const remember = async (file: string) => {
    const state = await stateOf(file)
    if (state !== undefined) checked.set(file, state)
    const [oldest] = checked.keys()
    if (checked.size > KEPT_STATES && oldest !== undefined) checked.delete(oldest)
  }
  const shared = async (object: CachedObject, file: string, signal: AbortSignal) => {
    const running = underWay.get(file)
    if (running !== undefined) {
      await running.catch(() => undefined)
      return await fetchOne(object, file, signal)
    }
    const own = fetchOne(object, file, signal).finally(() => underWay.delete(file))
    underWay.set(file, own)
    await own
  }
  return {
    fetch: async (objects, { signal, onBytes }) => {
      const needed = objects.reduce((sum, { bytes }) => sum + bytes, 0)
      if (needed > limit) {
        throw new AkashiError('too_large', `the query reads ${needed} bytes of archived objects`, {
          hint: `restrict it by created_at: the local cache is limited to ${limit} bytes`,
          detail: { bytes: needed, limit },
        })
      }
      const files = objects.map(({ sha256 }) => join(folder, `${sha256}.parquet`))
      await makeRoom(folder, new Set(files), limit - needed)
      const frozen: string[] = []
      const waiting = objects.entries()
      const work = async () => {
        for (const [i, object] of waiting) {
          signal.throwIfAborted()
          try {
            await shared(object, files[i] ?? '', signal)
            onBytes?.(object.bytes)
          } catch (error) {
            if (!isFrozen(error)) throw error
            frozen.push(object.key)
          }
        }
      }
      await Promise.all(Array.from({ length: FETCHES }, work))
      if (frozen.length > 0) throw frozenError(frozen.sort())
      return files
    },
  }
}

/** Changes whenever the file is written to or replaced. */
async function stateOf(file: string): Promise<string | undefined> {
  const found = await stat(file, { bigint: true }).catch(() => undefined)
  return found === undefined ? undefined : [found.dev, found.ino, found.size, found.ctimeNs].join(' ')
}

/** Whether the object is in an archive tier. */
function isFrozen(error: unknown): boolean {
  return error instanceof AkashiError && error.detail['frozen'] === true
}

function frozenError(objects: readonly string[]): AkashiError {
  return new AkashiError('conflict', `${objects.length} objects of the query are frozen`, {
    hint: 'thaw them with --thaw, which takes hours, and run it again: objects that were already fetched are kept',
    detail: { frozen: objects },
  })
}

/** Removes the least recently used files, except those that a query may be reading. */
async function makeRoom(folder: string, needed: ReadonlySet<string>, limit: number): Promise<void> {
  const files: { readonly path: string; readonly bytes: number; readonly used: number }[] = []
  for (const name of await readdir(folder)) {
    const path = join(folder, name)
    const found = await stat(path).catch(() => undefined)
    if (found?.isFile() === true && !needed.has(path)) {
      files.push({ path, bytes: found.size, used: found.mtimeMs })
    }
  }
  let kept = files.reduce((sum, { bytes }) => sum + bytes, 0)
  const latest = Date.now() - CACHE_GRACE_MS
  for (const { path, bytes, used } of files.sort((a, b) => a.used - b.used)) {
    if (kept <= Math.max(0, limit) || used > latest) return
    await rm(path, { force: true })
    kept -= bytes
  }
}
