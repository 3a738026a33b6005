import { lstat, opendir, readdir, readlink, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { errno, folderOfFileUrl } from '../foundation/index.ts'
import { asStoreError } from './errors.ts'
import { Layout } from './filesystem-layout.ts'

/** Far longer than any put pauses, so that an upload in progress never counts as a leftover. */
const LEFTOVER_AGE_MS = 24 * 60 * 60 * 1000

/** What a sweep removed. */
export interface Swept {
  readonly files: number
  readonly bytes: number
}

export async function sweepFilesystemStore(url: string): Promise<Swept> {
  const layout = new Layout(folderOfFileUrl(url))
  try {
    return add(await removeStaleTemps(layout), await removeUnnamed(layout, ''))
  } catch (error) {
    throw asStoreError(error)
  }
}

export async function removeStaleTemps(layout: Layout): Promise<Swept> {
  let swept: Swept = { files: 0, bytes: 0 }
  for await (const entry of await opendir(layout.temp)) {
    swept = add(swept, await removeIfOld(join(layout.temp, entry.name)))
  }
  return swept
}

async function removeUnnamed(layout: Layout, folder: string): Promise<Swept> {
  let swept: Swept = { files: 0, bytes: 0 }
  const named = await namedBlobs(join(layout.objects, folder))
  for await (const entry of await opendir(join(layout.blobs, folder))) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) swept = add(swept, await removeUnnamed(layout, path))
    else if (named !== null && !named.has(entry.name)) {
      swept = add(swept, await removeIfOld(join(layout.blobs, path)))
    }
  }
  return swept
}

/**
 * Names of the blobs referenced by the links of a folder. null if that is uncertain: the folder is missing, or
 * contains regular files, as after a copy that followed links.
 */
async function namedBlobs(folder: string): Promise<ReadonlySet<string> | null> {
  const named = new Set<string>()
  try {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (entry.isDirectory()) continue
      if (!entry.isSymbolicLink()) return null
      const target = await readlink(join(folder, entry.name))
      named.add(target.slice(target.lastIndexOf('/') + 1))
    }
  } catch (error) {
    if (errno(error) === 'ENOENT') return null
    throw error
  }
  return named
}

async function removeIfOld(path: string): Promise<Swept> {
  try {
    const { mtimeMs, size } = await lstat(path)
    if (Date.now() - mtimeMs < LEFTOVER_AGE_MS) return { files: 0, bytes: 0 }
    await unlink(path)
    return { files: 1, bytes: size }
  } catch (error) {
    if (errno(error) === 'ENOENT') return { files: 0, bytes: 0 }
    throw error
  }
}

function add(a: Swept, b: Swept): Swept {
  return { files: a.files + b.files, bytes: a.bytes + b.bytes }
}
