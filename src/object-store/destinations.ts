/**
 * A store with a folder whose subfolders are in separate stores: `archive-copies/partner/…` is in that of
 * `partner`.
 */
import { AkashiError } from '../foundation/index.ts'
import type { ObjectStore } from './types.ts'

/** Below it, a folder for each destination. */
export const DESTINATIONS_FOLDER = 'archive-copies/'

/**
 * Objects keep their keys. A listing of more than one destination has those of the first store alone.
 *
 * @param open the store of a name, undefined where none is configured; opened when first needed, so that an
 * unavailable store affects only what needs it
 */
export function withDestinations(
  main: ObjectStore,
  open: (name: string) => Promise<ObjectStore | undefined>,
): ObjectStore {
  const opened = new Map<string, Promise<ObjectStore>>()
  const destination = (name: string) => {
    const found = opened.get(name) ?? openNamed(name, open)
    opened.set(name, found)
    found.catch(() => opened.delete(name))
    return found
  }
  const holderOf = async (key: string) => {
    if (!key.startsWith(DESTINATIONS_FOLDER)) return main
    const [name = '', ...rest] = key.slice(DESTINATIONS_FOLDER.length).split('/')
    return rest.length === 0 ? main : await destination(name)
  }
  return {
    location: main.location,
    put: async (key, body, options) => (await holderOf(key)).put(key, body, options),
    get: async (key, options) => (await holderOf(key)).get(key, options),
    head: async (key) => (await holderOf(key)).head(key),
    list: async function* (prefix, options) {
      yield* (await holderOf(prefix)).list(prefix, options)
    },
    listFolders: async function* (prefix, options) {
      yield* (await holderOf(prefix)).listFolders(prefix, options)
    },
    delete: async (key) => (await holderOf(key)).delete(key),
    thaw: async (key, options) => {
      const holder = await holderOf(key)
      if (holder.thaw !== undefined) return await holder.thaw(key, options)
      if ((await holder.head(key)) !== null) return 'readable'
      throw new AkashiError('not_found', 'there is no object under this key', { detail: { key } })
    },
  }
}

async function openNamed(
  name: string,
  open: (name: string) => Promise<ObjectStore | undefined>,
): Promise<ObjectStore> {
  const found = await open(name)
  if (found !== undefined) return found
  throw new AkashiError('invalid_config', `no object store is configured for the destination ${name}`, {
    hint: `add it to ARCHIVE_DESTINATIONS, as {"${name}": "s3://…"}`,
    detail: { destination: name },
  })
}
