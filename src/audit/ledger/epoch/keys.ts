/**
 * Which key signs in which epoch. A replaced key opens a new epoch, so each epoch has one key: the one that signed its
 * link, and its heads. Keys are never reused, and the head is signed with the newest.
 */
import { type LogKey, verifiesAny } from '../verifier-keys.ts'
import type { Epoch } from './link.ts'

/**
 * Milliseconds for which a head may still carry the key before the newest one: a rotation makes the key first and
 * opens the epoch then, and the worker completes one that was interrupted within a minute.
 */
export const ROTATION_GRACE_MS = 600_000

/** Milliseconds by which the clocks of two machines may differ. */
const CLOCK_SKEW_MS = 60_000

type KeysOf = (origin: string) => Promise<readonly LogKey[]>

export interface EpochKeys {
  /** Why the signatures contradict each other; null when they do not. Invalid signatures are reported elsewhere. */
  readonly problem: string | null
  /** The keys whose signatures are valid for an origin. */
  readonly verifierKeys: KeysOf
}

export async function epochKeys(
  head: { readonly origin: string; readonly note: string | null },
  epochs: readonly Epoch[],
  keysOf: KeysOf,
  now: Date,
): Promise<EpochKeys> {
  const signed = [...epochs.map(({ origin, note }) => ({ origin, note })), head]
  /** By origin: the index of its key among all keys, oldest first. */
  const places = new Map<string, number>()
  let problem: string | null = null
  let former = -1
  for (const { origin, note } of signed) {
    if (note === null) continue
    const keys = await keysOf(origin)
    const place = keys.findIndex((key) => verifiesAny(note, [key]))
    if (place === -1) continue
    if (place < former || (places.get(origin) ?? place) !== place) {
      problem ??= `epoch ${origin} is signed by a key that was replaced before it began`
    }
    places.set(origin, place)
    former = place
  }
  const newest = (await keysOf(head.origin)).at(-1)
  const place = places.get(head.origin)
  const last = (await keysOf(head.origin)).length - 1
  if (place !== undefined && newest !== undefined && place < last) {
    const age = now.getTime() - newest.createdAt.getTime()
    // With a clock that is behind, every key would seem new.
    const underWay = place === last - 1 && age > -CLOCK_SKEW_MS && age < ROTATION_GRACE_MS
    if (!underWay) problem ??= 'the head is signed by a key that was replaced'
  }
  return {
    problem,
    verifierKeys: async (origin) => {
      const keys = await keysOf(origin)
      const own = places.get(origin)
      if (own !== undefined) return keys.slice(own, own + 1)
      // An origin without a link is the first epoch or an abandoned one, which ended before the head's epoch began.
      return place === undefined ? keys : keys.slice(0, place + 1)
    },
  }
}
