/** Where checkpoints and epochs lie in the object store, and how they are read back. */
import { AkashiError } from '../../foundation/index.ts'
import type { ObjectStore } from '../../object-store/index.ts'

/** Largest note that is read back from the object store, in bytes. */
const MAX_NOTE_BYTES = 65_536

/** Last part of a checkpoint's key: twenty digits, so that keys sort by size. */
const SIZE_DIGITS = 20

/** Notes that are read from the object store at the same time. */
const NOTE_READS = 16

/** Newest checkpoints that are all compared: about a week of one a minute. */
export const RECENT_CHECKPOINTS = 10_000

/** The part of an origin that identifies the epoch: `akashi.local/<id>/<branch>/<log>`; null for the first epoch. */
export function branchOf(origin: string): string | null {
  return /\/e([0-9a-f]{16})\/[^/]+$/.exec(origin)?.[1] ?? null
}

/** The origin that a log has on another branch. */
export function originOn(origin: string, branch: string | null): string {
  const parts = origin.split('/')
  const log = parts.pop() ?? ''
  if (branchOf(origin) !== null) parts.pop()
  return [...parts, ...(branch === null ? [] : [`e${branch}`]), log].join('/')
}

/** `checkpoints/<log>/` in the first epoch, `checkpoints/<log>.<branch>/` in a later one. */
function folder(log: string, branch: string | null): string {
  return `checkpoints/${log}${branch === null ? '' : `.${branch}`}/`
}

/** `checkpoints/audit_logs/00000000000000001234` */
export function checkpointKey(log: string, origin: string, size: bigint): string {
  return keyIn(folder(log, branchOf(origin)), size)
}

function keyIn(place: string, size: bigint): string {
  return `${place}${size.toString().padStart(SIZE_DIGITS, '0')}`
}

/** The signed link of an epoch: `epochs/<log>/<epoch, six digits>.<branch>`. */
export function epochKey(log: string, epoch: number, origin: string): string {
  return `epochs/${log}/${epoch.toString().padStart(6, '0')}.${branchOf(origin) ?? ''}`
}

export interface PublishedBranch {
  /** null is the first epoch. */
  readonly branch: string | null
  /** Key of its link; null for the first epoch. */
  readonly link: string | null
}

/** Every epoch that was ever published, in order, whether or not this database knows of it. */
export async function publishedBranches(store: ObjectStore, log: string): Promise<PublishedBranch[]> {
  const branches: PublishedBranch[] = [{ branch: null, link: null }]
  for await (const { key } of store.list(`epochs/${log}/`))
    branches.push({ branch: key.slice(key.lastIndexOf('.') + 1), link: key })
  return branches
}

export interface PublishedSize {
  readonly key: string
  readonly size: bigint
}

/** What one epoch published, from `from` entries on, in ascending size. */
export async function* publishedSizes(
  store: ObjectStore,
  log: string,
  branch: string | null,
  from = 0n,
): AsyncIterable<PublishedSize> {
  const place = folder(log, branch)
  for await (const { key } of store.list(place, from === 0n ? {} : { after: keyIn(place, from - 1n) })) {
    const digits = key.slice(place.length)
    if (/^\d{20}$/.test(digits)) yield { key, size: BigInt(digits) }
  }
}

/** A checkpoint that is published and was not read. */
export interface ListedCheckpoint {
  /** null is the first epoch. */
  readonly branch: string | null
  readonly size: bigint
}

/**
 * Every published checkpoint of a log of at least `from` entries, epoch by epoch, in ascending size: as its note, or
 * by its size alone where {@link isSampled} leaves it out.
 */
export async function* publishedNotes(
  store: ObjectStore,
  log: string,
  from = 0n,
): AsyncIterable<string | ListedCheckpoint> {
  for (const { branch } of await publishedBranches(store, log)) {
    const sizes: bigint[] = []
    for await (const { size } of publishedSizes(store, log, branch, from)) sizes.push(size)
    const offset = Math.random()
    const place = folder(log, branch)
    for (let at = 0; at < sizes.length; at += NOTE_READS) {
      const read = await Promise.all(
        sizes
          .slice(at, at + NOTE_READS)
          .map((size, index) =>
            isSampled(at + index, sizes.length, offset)
              ? noteOrText(store, keyIn(place, size))
              : { branch, size },
          ),
      )
      yield* read.filter((each) => each !== undefined)
    }
  }
}

/**
 * Whether a checkpoint is compared: all of the newest {@link RECENT_CHECKPOINTS}, and as many of those before, evenly
 * spread. Each run starts the spread at another offset, so that any checkpoint may be compared.
 *
 * @param index place in ascending size, of `total`
 * @param offset from 0 to below 1, one for the whole run
 */
export function isSampled(index: number, total: number, offset: number): boolean {
  const older = total - RECENT_CHECKPOINTS
  if (index >= older) return true
  const step = Math.ceil(older / RECENT_CHECKPOINTS)
  return index % step === Math.floor(offset * step)
}

/**
 * An object that is too large for a note is returned as an invalid text, so that verification reports it and
 * continues.
 */
async function noteOrText(store: ObjectStore, key: string): Promise<string | undefined> {
  try {
    return await readNote(store, key)
  } catch (error) {
    if (!(error instanceof AkashiError && error.code === 'integrity')) throw error
    return `${key}\n`
  }
}

export async function readNote(store: ObjectStore, key: string): Promise<string | undefined> {
  const head = await store.head(key)
  if (head === null) return undefined
  if (head.size > MAX_NOTE_BYTES) throw new AkashiError('integrity', `${key} is too large for a checkpoint`)
  const chunks: Buffer[] = []
  for await (const chunk of await store.get(key)) chunks.push(Buffer.from(chunk as Uint8Array))
  return Buffer.concat(chunks).toString('utf8')
}

/** Stores a note under a new key; returns false when another text exists there. */
export async function putNote(store: ObjectStore, key: string, note: string): Promise<boolean> {
  const present = await readNote(store, key)
  if (present !== undefined) return body(present) === body(note)
  try {
    await store.put(key, Buffer.from(note), { ifAbsent: true })
    return true
  } catch (error) {
    // Another process published it in the meantime.
    if (!(error instanceof AkashiError && error.code === 'already_exists')) throw error
    return await putNote(store, key, note)
  }
}

/** The text of a note without its signatures: the same checkpoint may be signed again with a rotated key. */
export function body(note: string): string {
  return note.slice(0, note.indexOf('\n\n'))
}
