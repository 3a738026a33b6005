import { opendir } from 'node:fs/promises'
import { join } from 'node:path'
import { errno } from '../foundation/index.ts'

const READ_ENTRIES = 1024

/**
 * The keys below a folder in ascending byte order, those that start with `prefix` and come after `after`.
 * Holds the names of one folder and of its ancestors at a time.
 */
export async function* walkKeys(objects: string, prefix: string, after: string): AsyncGenerator<string> {
  yield* walk(objects, prefix.slice(0, prefix.lastIndexOf('/') + 1), prefix, after)
}

/** `folder` is `''` or ends with a slash. */
async function* walk(objects: string, folder: string, prefix: string, after: string): AsyncGenerator<string> {
  for (const name of await entries(objects, folder, prefix, after)) {
    if (name.endsWith('/')) yield* walk(objects, folder + name, prefix, after)
    else yield folder + name
  }
}

/** Names of a folder, in order; a subfolder's ends with the slash that its keys go on with, which puts it in its place. */
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
