/** Archived objects in a storage tier that cannot be read at once: listed, and requested from the store. */
import { AkashiError } from '../../foundation/index.ts'
import type { ObjectStore } from '../../object-store/index.ts'
import type { Actor, Database } from '../../postgres/index.ts'
import { type ArchiveFilter, archiveStatus } from './status.ts'

export interface ThawOptions extends ArchiveFilter {
  /** Only periods that end after it. */
  readonly from?: Date
  /** Only periods that begin before it. */
  readonly to?: Date
  /** Only list frozen objects. */
  readonly dryRun?: boolean
}

export interface FrozenObject {
  readonly object: string
  readonly bytes: number
  /** `thawing`: requested, which takes minutes to days; call again to see whether it is done. */
  readonly state: 'frozen' | 'thawing'
}

/**
 * Requests that all frozen objects of the periods be thawed.
 *
 * @returns the objects that cannot be read yet; empty once all can
 * @throws AkashiError unsupported when objects are frozen and the store cannot thaw them
 */
export async function thawArchive(
  database: Database,
  actor: Actor,
  store: ObjectStore,
  options: ThawOptions = {},
): Promise<FrozenObject[]> {
  const { from, to, dryRun = false, signal } = options
  const folders = new Set<string>()
  for (const each of await archiveStatus(database, actor, options)) {
    if (each.state !== 'verified' && each.state !== 'detached' && each.state !== 'dropped') continue
    if (from !== undefined && Date.parse(each.to) <= from.getTime()) continue
    if (to !== undefined && Date.parse(each.from) >= to.getTime()) continue
    folders.add(each.folder)
  }
  const found: FrozenObject[] = []
  for (const folder of folders) {
    for await (const { key, size, frozen } of store.list(folder, signal === undefined ? {} : { signal })) {
      if (frozen !== true) continue
      const state = dryRun ? 'frozen' : await thawOne(store, key, signal)
      if (state !== 'readable') found.push({ object: key, bytes: size, state })
    }
  }
  return found
}

async function thawOne(
  store: ObjectStore,
  key: string,
  signal: AbortSignal | undefined,
): Promise<'readable' | 'thawing'> {
  if (store.thaw === undefined) {
    throw new AkashiError('unsupported', `${store.location} cannot thaw ${key}`, {
      hint: 'thaw it with the tools of its provider, then try again',
    })
  }
  return await store.thaw(key, signal === undefined ? {} : { signal })
}
