/** How far the published history of a log and the database agree. */
import { AkashiError } from '../../../foundation/index.ts'
import { parseNote } from '../../../keys/index.ts'
import type { ObjectStore } from '../../../object-store/index.ts'
import type { Actor, Database } from '../../../postgres/index.ts'
import { type Checkpoint, parseCheckpoint } from '../checkpoint.ts'
import { treeRoot } from '../merkle.ts'
import { originOn, type PublishedSize, publishedBranches, publishedSizes, readNote } from '../published.ts'
import { type Head, tileReader } from '../store.ts'
import { TiledTree } from '../tiles.ts'
import { boundOf, type Epoch, isKnown, readLink } from './link.ts'

export interface SharedHistory {
  /** The largest published checkpoint that was not abandoned before; null when nothing was published. */
  readonly latest: Checkpoint | null
  /** Entries that the tree shares with everything published. */
  readonly common: bigint
  /** Origins of published epochs that this database does not have. */
  readonly unknown: readonly string[]
}

/** Reads as many notes as a binary search over the sizes takes. */
export async function sharedHistory(
  database: Database,
  actor: Actor,
  store: ObjectStore,
  head: Head,
  epochs: readonly Epoch[],
): Promise<SharedHistory> {
  let latest: Checkpoint | null = null
  let common = head.size
  const unknown: string[] = []
  const agreements = new Map<string, bigint>()
  for (const { branch, link } of await publishedBranches(store, head.log)) {
    const sizes: PublishedSize[] = []
    const origin = originOn(head.origin, branch)
    // An unknown branch was published after this database was copied: all of its entries count.
    const known = isKnown(epochs, head, origin)
    if (!known) unknown.push(origin)
    const bound = known ? boundOf(epochs, origin) : null
    for await (const published of publishedSizes(store, head.log, branch)) {
      if (bound === null || published.size <= bound) sizes.push(published)
    }
    const last = sizes.at(-1)
    if (last === undefined) continue
    const checkpoint = await readCheckpoint(store, last.key)
    if (latest === null || checkpoint.size > latest.size) latest = checkpoint
    const inherited = link === null ? 0n : await inheritedSize(store, link, agreements)
    const found = await agreedSize(database, actor, store, head, sizes)
    const agreed = found > inherited ? found : inherited
    agreements.set(origin, agreed)
    if (found !== last.size && agreed < common) common = agreed
  }
  return { latest, common, unknown }
}

/** What an epoch shares with the one that it continues, as its link says, as far as that one is shared. */
async function inheritedSize(
  store: ObjectStore,
  link: string,
  agreements: ReadonlyMap<string, bigint>,
): Promise<bigint> {
  const { previousOrigin, commonSize } = readLink((await readNote(store, link)) ?? '')
  const before = agreements.get(previousOrigin) ?? 0n
  return before < commonSize ? before : commonSize
}

/** The largest of these sizes at which the tree has the published root; 0 when none matches. */
async function agreedSize(
  database: Database,
  actor: Actor,
  store: ObjectStore,
  head: Head,
  sizes: readonly PublishedSize[],
): Promise<bigint> {
  return await database.transaction(
    actor,
    async (session) => {
      const { node } = new TiledTree(head.size, tileReader(session, head.log))
      let low = 0
      let high = sizes.length
      while (low < high) {
        const middle = (low + high) >> 1
        const published = sizes[middle]
        if (published === undefined) break
        const agrees =
          published.size <= head.size &&
          (await treeRoot(published.size, node)).equals((await readCheckpoint(store, published.key)).root)
        if (agrees) low = middle + 1
        else high = middle
      }
      return sizes[low - 1]?.size ?? 0n
    },
    { isolation: 'repeatable read', readOnly: true },
  )
}

async function readCheckpoint(store: ObjectStore, key: string): Promise<Checkpoint> {
  const note = await readNote(store, key)
  if (note === undefined)
    throw new AkashiError('unavailable', `${key} was listed, but no longer exists`, { hint: 'try again' })
  return parseCheckpoint(parseNote(note).text)
}
