/** Two stores as one: what is below a folder is put into the second, so that it outlives the first. */
import { AkashiError, given } from '../foundation/index.ts'
import type { ListOptions, ObjectStore } from './types.ts'

/**
 * Objects that the first store already has below the folder stay there, and are found and deleted there too.
 *
 * @param folder ends with a slash
 * @param open the second store; opened when first needed, so that an unavailable store affects only what
 * needs it
 */
export function routedStore(
  main: ObjectStore,
  folder: string,
  open: () => Promise<ObjectStore>,
): ObjectStore {
  let opened: Promise<ObjectStore> | undefined
  const other = () => {
    opened ??= open().catch((error: unknown) => {
      opened = undefined
      throw error
    })
    return opened
  }
  const isRouted = (key: string) => key.startsWith(folder)
  const holderOf = async (key: string) => {
    if (!isRouted(key)) return main
    const second = await other()
    return (await second.head(key)) === null && (await main.head(key)) !== null ? main : second
  }
  const reaches = (prefix: string) => prefix.startsWith(folder) || folder.startsWith(prefix)
  return {
    location: main.location,
    put: async (key, body, options) => await (isRouted(key) ? await other() : main).put(key, body, options),
    get: async (key, options) => await (await holderOf(key)).get(key, options),
    head: async (key) =>
      isRouted(key) ? ((await (await other()).head(key)) ?? (await main.head(key))) : await main.head(key),
    async *list(prefix, options) {
      if (!reaches(prefix)) return yield* main.list(prefix, options)
      const routed = prefix.startsWith(folder) ? prefix : folder
      yield* merged(main.list(prefix, options), (await other()).list(routed, options), ({ key }) => key)
    },
    async *listFolders(prefix, options) {
      if (!reaches(prefix)) return yield* main.listFolders(prefix, options)
      yield* merged(
        main.listFolders(prefix, options),
        foldersOf(await other(), prefix, folder, options),
        (each) => each,
      )
    },
    delete: async (key) => {
      if (isRouted(key)) await (await other()).delete(key)
      await main.delete(key)
    },
    thaw: async (key, options) => {
      const holder = await holderOf(key)
      if (holder.thaw !== undefined) return await holder.thaw(key, options)
      if ((await holder.head(key)) !== null) return 'readable'
      throw new AkashiError('not_found', 'there is no object under this key', { detail: { key } })
    },
  }
}

/** Of the second store only what is below the folder counts: others may use it too. */
async function* foldersOf(
  store: ObjectStore,
  prefix: string,
  folder: string,
  { signal }: Pick<ListOptions, 'signal'> = {},
): AsyncIterable<string> {
  for await (const found of store.listFolders(prefix, given({ signal }))) {
    if (found.startsWith(folder) || folder.startsWith(found)) yield found
  }
}

/** Merges two ascending listings; of a key in both, the second's entry counts. */
async function* merged<T>(
  first: AsyncIterable<T>,
  second: AsyncIterable<T>,
  keyOf: (item: T) => string,
): AsyncIterable<T> {
  const rest = second[Symbol.asyncIterator]()
  let next = await rest.next()
  for await (const item of first) {
    while (next.done !== true && keyOf(next.value) < keyOf(item)) {
      yield next.value
      next = await rest.next()
    }
    if (next.done === true || keyOf(next.value) !== keyOf(item)) yield item
  }
  while (next.done !== true) {
    yield next.value
    next = await rest.next()
  }
}
