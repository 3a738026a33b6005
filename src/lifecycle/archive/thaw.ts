/** Archived objects that a cold storage class holds back: named, and asked for. */
import { AkashiError } from '../../foundation/index.ts'
import type { ObjectStore } from '../../object-store/index.ts'
import type { Actor, Database } from '../../postgres/index.ts'
import { type ArchiveFilter, archiveStatus } from './status.ts'

export interface ThawOptions extends ArchiveFilter {
  /** Only periods that end after it. */
  readonly from?: Date
  /** Only periods that begin before it. */
  readonly to?: Date
  /** Names what is frozen and asks for nothing. */
  readonly dryRun?: boolean
}

export interface FrozenObject {
  readonly object: string
  readonly bytes: number
  /** `thawing`: asked for, which takes minutes to days; asking again is how one waits. */
  readonly state: 'frozen' | 'thawing'
}

/**
 * Every archived object of the periods that is frozen.
 *
 * @returns what cannot be read yet; none is left once everything can
 * @throws AkashiError unsupported when objects are frozen and the store cannot give them back
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
      hint: 'restore it with the tools of its provider, and ask again',
    })
  }
  return await store.thaw(key, signal === undefined ? {} : { signal })
}
