import { opendir } from 'node:fs/promises'
import { join } from 'node:path'
import { errno } from '../foundation/index.ts'

const READ_ENTRIES = 1024

/**
 * The keys below a folder that start with `prefix` and sort after `after`, in ascending byte order. Holds the
 * names of one folder and its ancestors in memory.
 */
export async function* walkKeys(objects: string, prefix: string, after: string): AsyncGenerator<string> {
  yield* walk(objects, prefix.slice(0, prefix.lastIndexOf('/') + 1), prefix, after)
}

/** The folders directly below one, of those that hold keys: deleted objects leave theirs behind. */
export async function walkFolders(objects: string, folder: string): Promise<string[]> {
  const found: string[] = []
  for (const name of await entries(objects, folder, folder, '')) {
    if (!name.endsWith('/')) continue
    const { done } = await walk(objects, folder + name, folder + name, '').next()
    if (done !== true) found.push(folder + name)
  }
  return found
}

/** `folder` is `''` or ends with a slash. */
async function* walk(objects: string, folder: string, prefix: string, after: string): AsyncGenerator<string> {
  for (const name of await entries(objects, folder, prefix, after)) {
    if (name.endsWith('/')) yield* walk(objects, folder + name, prefix, after)
    else yield folder + name
  }
}

/** Sorted names of a folder; subfolders end with a slash, so that they sort like the keys below them. */
async function entries(objects: string, folder: string, prefix: string, after: string): Promise<string[]> {
  const names: string[] = []
  try {
    for await (const entry of await opendir(join(objects, folder), { bufferSize: READ_ENTRIES })) {
      const name = entry.isDirectory() ? `${entry.name}/` : entry.name
      const path = folder + name
      const wanted = path.startsWith(prefix) || (entry.isDirectory() && prefix.startsWith(path))
      const later = path > after || (entry.isDirectory() && after.startsWith(path))
      if (wanted && later) names.push(name)
    }
  } catch (error) {
    if (errno(error) !== 'ENOENT' && errno(error) !== 'ENOTDIR') throw error
  }
  return names.sort((a, b) => (a < b ? -1 : 1))
}
