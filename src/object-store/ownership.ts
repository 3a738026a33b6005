/**
 * A store has one owner at a time: the installation whose record has the highest token. Records are only ever added,
 * each with put-if-absent, so exactly one of many racing installations gets a token, and the keys tell the history:
 *
 *   ownership/000000000001   the first owner
 *   ownership/000000000002   who took the store over from it, and so on
 *
 * An installation is a database at one place: its random id, which a copy shares, with the identifier and timeline of
 * its cluster and the number of its database; one of them differs in every restored, promoted or dumped copy.
 */
import { randomUUID } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { AkashiError, given } from '../foundation/index.ts'
import type { ObjectStore } from './types.ts'

const PREFIX = 'ownership/'
const TOKEN_DIGITS = 12
/**
 * Milliseconds for which one check of the store is trusted: the longest time a former owner can still write.
 */
export const OWNERSHIP_RECHECK_MS = 3_000
/** Attempts to get a token while other installations try too. */
const RACES = 20

const recordSchema = z.strictObject({
  version: z.literal(1),
  token: z.int().positive(),
  installation: z.uuid(),
  /** System identifier, timeline and number of the database, as text: they are compared, not computed with. */
  cluster: z.string(),
  timeline: z.string(),
  database: z.string(),
  /** By the clock of the owner, for display only. */
  since: z.iso.datetime(),
})

/** A record of ownership; `token` is the fencing token, which only rises. */
export type StoreOwner = z.infer<typeof recordSchema>

/** The installation as its database describes it. */
export interface Installation {
  /** null before it first owned a store. */
  readonly installation: string | null
  /** Of the record that it owns the store by; null when it owns none. */
  readonly token: number | null
  readonly cluster: string
  readonly timeline: string
  readonly database: string
  /** The database is a copy of the one that the installation was. */
  readonly copied: boolean
}

/** Where an installation stores its identity: its database. */
export interface InstallationRecord {
  read(signal?: AbortSignal): Promise<Installation>
  /**
   * Keeps the id and the token for the database as it is now; null before the token is obtained. A take-over
   * is reported in the same transaction, so that none goes unreported.
   */
  write(installation: string, token: number | null, takeOver?: TakeOver): Promise<void>
  /** The store went to another owner. Called once. */
  lost(to: StoreOwner): Promise<void>
}

export interface TakeOver {
  readonly owner: StoreOwner
  /** null if the store had no owner, undefined if that is no longer known. */
  readonly from: StoreOwner | null | undefined
}

export interface StoreOwnership {
  /**
   * Becomes the owner of a store without one.
   * @throws conflict if the store belongs to another installation
   */
  claim(signal?: AbortSignal): Promise<StoreOwner>
  /**
   * The same, but reads the store only every {@link OWNERSHIP_RECHECK_MS}; call it before every write.
   * @throws conflict if the store belongs to another installation
   */
  assertOwned(): Promise<StoreOwner>
  /** Becomes the owner regardless of the current one. Returns when the former owner has stopped writing. */
  takeOver(signal?: AbortSignal): Promise<StoreOwner>
}

export function openOwnership(store: ObjectStore, record: InstallationRecord): StoreOwnership {
  let checked: { readonly at: number; readonly owner: Promise<StoreOwner> } | undefined
  const claim = (signal?: AbortSignal) => {
    const made = { at: performance.now(), owner: racing(store, () => tryToClaim(store, record, signal)) }
    checked = made
    made.owner.catch(() => {
      if (checked === made) checked = undefined
    })
    return made.owner
  }
  return {
    claim,
    assertOwned: async () => {
      const fresh = checked !== undefined && performance.now() - checked.at < OWNERSHIP_RECHECK_MS
      return await (fresh && checked !== undefined ? checked.owner : claim())
    },
    takeOver: async (signal) => {
      checked = undefined
      const owner = await racing(store, async () => {
        const before = await readOwner(store, signal)
        const token = (before?.token ?? 0) + 1
        return await putRecord(store, record, { installation: randomUUID(), token, from: before }, signal)
      })
      await sleep(OWNERSHIP_RECHECK_MS, undefined, given({ signal }))
      return owner
    },
  }
}

/** Retries when another installation added a record meanwhile. */
async function racing<T>(store: ObjectStore, attempt: () => Promise<T | undefined>): Promise<T> {
  for (let races = 0; races < RACES; races += 1) {
    const done = await attempt()
    if (done !== undefined) return done
  }
  throw new AkashiError('unavailable', `other installations claim ${store.location} at the same time`, {
    hint: 'stop all but one of them',
  })
}

async function tryToClaim(
  store: ObjectStore,
  record: InstallationRecord,
  signal?: AbortSignal,
): Promise<StoreOwner | undefined> {
  const own = await record.read(signal)
  const owner = await readOwner(store, signal)
  if (own.token !== null && !own.copied && (owner?.token ?? 0) < own.token) throw olderStore(store, own.token)
  if (owner === null) {
    const installation = own.copied ? randomUUID() : (own.installation ?? randomUUID())
    return await putRecord(store, record, { installation, token: 1 }, signal)
  }
  if (!isOwn(owner, own)) {
    if (own.token !== null && !own.copied) await record.lost(owner)
    throw ownedByAnother(store, owner)
  }
  // After a crash between the two writes: the first record of a store is no take-over.
  if (own.token !== owner.token) {
    const takeOver = owner.token === 1 ? undefined : { owner, from: undefined }
    await record.write(owner.installation, owner.token, takeOver)
  }
  return owner
}

/** The present owner, without a database; null if the store has none. */
export async function readOwner(store: ObjectStore, signal?: AbortSignal): Promise<StoreOwner | null> {
  let last: string | undefined
  for await (const { key } of store.list(PREFIX, given({ signal }))) last = key
  // A store may not list an object that was just put. Tokens are consecutive, so the next one is requested
  // directly.
  for (;;) {
    const next = keyOf(last === undefined ? 1 : tokenOf(last) + 1)
    if ((await store.head(next)) === null) break
    last = next
  }
  if (last === undefined) return null
  const text = (await buffer(await store.get(last, given({ signal })))).toString()
  try {
    const owner = recordSchema.parse(JSON.parse(text))
    if (keyOf(owner.token) !== last) throw new Error('its token does not match its key')
    return owner
  } catch (cause) {
    throw new AkashiError('integrity', `${last} does not say who owns the object store`, {
      hint: 'restore this object from a replica or a backup of the store, and check who may write to it',
      cause,
    })
  }
}

/**
 * What is wrong between a store and the installation that owns it; changes nothing. A disk that is not mounted looks like
 * an empty store.
 *
 * @throws integrity when the newest record cannot be read
 */
export async function ownershipProblem(
  store: ObjectStore,
  own: Installation,
  signal?: AbortSignal,
): Promise<AkashiError | undefined> {
  const owner = await readOwner(store, signal)
  if (own.token !== null && !own.copied && (owner?.token ?? 0) < own.token)
    return olderStore(store, own.token)
  if (owner !== null && !isOwn(owner, own)) return ownedByAnother(store, owner)
  return undefined
}

/** A store that only its owner writes to: a put or delete of anybody else is `conflict`. */
export function ownedStore(store: ObjectStore, ownership: Pick<StoreOwnership, 'assertOwned'>): ObjectStore {
  return {
    location: store.location,
    put: async (key, body, options) => {
      await ownership.assertOwned()
      return await store.put(key, body, options)
    },
    delete: async (key) => {
      await ownership.assertOwned()
      await store.delete(key)
    },
    get: (key, options) => store.get(key, options),
    head: (key) => store.head(key),
    list: (prefix, options) => store.list(prefix, options),
    listFolders: (folder, options) => store.listFolders(folder, options),
    ...(store.thaw === undefined ? {} : { thaw: store.thaw.bind(store) }),
  }
}

/** undefined if another installation got the token. */
async function putRecord(
  store: ObjectStore,
  record: InstallationRecord,
  request: {
    readonly installation: string
    readonly token: number
    /** Of a take-over. */
    readonly from?: StoreOwner | null
  },
  signal?: AbortSignal,
): Promise<StoreOwner | undefined> {
  const { installation, token, from } = request
  const { cluster, timeline, database } = await record.read(signal)
  const since = new Date().toISOString()
  const owner: StoreOwner = { version: 1, token, installation, cluster, timeline, database, since }
  // First, so that a crash after the put leaves an installation that recognises its own record.
  await record.write(installation, null)
  try {
    const body = Buffer.from(`${JSON.stringify(owner)}\n`)
    await store.put(keyOf(token), body, { ifAbsent: true, ...given({ signal }) })
  } catch (error) {
    if (error instanceof AkashiError && error.code === 'already_exists') return undefined
    throw error
  }
  await record.write(installation, token, from === undefined ? undefined : { owner, from })
  return owner
}

function isOwn(owner: StoreOwner, own: Installation): boolean {
  return (
    owner.installation === own.installation &&
    owner.cluster === own.cluster &&
    owner.timeline === own.timeline &&
    owner.database === own.database
  )
}

function keyOf(token: number): string {
  return `${PREFIX}${String(token).padStart(TOKEN_DIGITS, '0')}`
}

/** NaN for a key that Akashi did not write; reading it reports that. */
function tokenOf(key: string): number {
  return Number(key.slice(PREFIX.length))
}

/** An unmounted disk, another bucket or an older copy: later objects are missing. */
function olderStore(store: ObjectStore, token: number): AkashiError {
  return new AkashiError(
    'conflict',
    `the object store ${store.location} lacks this installation’s ownership record ${keyOf(token)}`,
    {
      hint: 'mount it, or correct OBJECT_STORE_URL; if this is a new store, or an older copy of it, on purpose, start once with --take-over',
      detail: { token },
    },
  )
}

function ownedByAnother(store: ObjectStore, { cluster, timeline, since, token }: StoreOwner): AkashiError {
  return new AkashiError(
    'conflict',
    `the object store ${store.location} belongs to another installation (cluster ${cluster}, timeline ${timeline}, since ${since})`,
    {
      hint: 'this one only reads it; once the other is stopped for good, start this one with --take-over',
      detail: { token, cluster, timeline, notOwner: true },
    },
  )
}
