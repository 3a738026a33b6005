/** Replacing a key of the service, each purpose in its way. Each can be interrupted anywhere and run again. */
import type { ResponseOf, RotatablePurpose } from '@akashi/contract'
import { type Epoch, rotateCheckpointKey, signProgressAgain } from '../audit/index.ts'
import { AkashiError, type Clock, given, requireReason, systemClock } from '../foundation/index.ts'
import { activeContextKeys, keyAges, rotateIndexes, useContextKey } from '../identity/index.ts'
import type { Keyring } from '../keys/index.ts'
import type { ObjectStore } from '../object-store/index.ts'
import type { Actor, Database } from '../postgres/index.ts'

export interface RotationParts {
  readonly keyring: Keyring
  readonly store: ObjectStore
  /** Of the role `owner`. */
  readonly owner: Database
  /** Of the role `worker`. */
  readonly worker: Database
  readonly actor: Actor
}

export interface RotateOptions {
  readonly purpose: RotatablePurpose
  /** One line; recorded, and for a checkpoint key signed into the new epochs. */
  readonly reason: string
  readonly signal?: AbortSignal
  readonly onProgress?: (done: number, total?: number) => void
}

export interface KeyRotation {
  readonly purpose: RotatablePurpose
  /** The key that is used from now on. */
  readonly keyId: string
  /** It completed a rotation that was interrupted. */
  readonly resumed: boolean
  /** Epochs that a checkpoint key opened. */
  readonly epochs?: readonly Epoch[]
  /** Person keys that were wrapped again. */
  readonly rewrapped?: number
  /** Users that were indexed again, and those who have the address of another. */
  readonly reindexed?: number
  readonly conflicts?: readonly string[]
}

export async function rotateKey(parts: RotationParts, options: RotateOptions): Promise<KeyRotation> {
  const { purpose, reason } = options
  requireReason(reason, 'the reason of a rotation')
  const rotation = { purpose, ...(await replace(parts, options)) }
  await parts.owner.transaction(parts.actor, (session) =>
    session.query(
      `select akashi_audit.record_action('key_rotated', 'rotate', 'key', $1, 'SUCCESS', $2::jsonb, 'confidential')`,
      [rotation.keyId, JSON.stringify({ purpose, reason, resumed: rotation.resumed })],
    ),
  )
  return rotation
}

async function replace(
  { keyring, store, owner, worker, actor }: RotationParts,
  { purpose, reason, signal, onProgress }: RotateOptions,
): Promise<Omit<KeyRotation, 'purpose'>> {
  switch (purpose) {
    case 'checkpoint':
      return await replaceCheckpointKey(worker, actor, keyring, store, reason)
    case 'context':
      return await rotateContextKey(owner, actor, keyring)
    case 'wrapping': {
      const report = ({ done, total }: { done: number; total: number }) => onProgress?.(done, total)
      const { keyId, resumed, rewrapped } = await keyring.rotateWrapping({
        ...given({ signal }),
        onProgress: report,
      })
      return { keyId, resumed, rewrapped }
    }
    case 'blind-index':
      return await rotateIndexes({ database: owner, keyring }, actor, given({ signal, onProgress }))
    default:
      return { keyId: (await keyring.rotate(purpose)).id, resumed: false }
  }
}

/**
 * What the cross-check signed is signed again last. Where that fails the rotation is done all the same, since another
 * one would make another key: a cross-check that runs signs within a minute, and one that starts before then has a gap.
 */
async function replaceCheckpointKey(...parts: Parameters<typeof rotateCheckpointKey>) {
  const [worker, actor, keyring] = parts
  const rotated = await rotateCheckpointKey(...parts)
  await signProgressAgain(worker, actor, keyring).catch((error: unknown) => {
    if (!(error instanceof AkashiError)) throw error
  })
  return rotated
}

/**
 * In the keyring first: until the database knows the new key, every process continues with the accepted one.
 */
async function rotateContextKey(
  owner: Database,
  actor: Actor,
  keyring: Keyring,
): Promise<{ readonly keyId: string; readonly resumed: boolean }> {
  const known = await owner.transaction(actor, activeContextKeys)
  const active = await keyring.ensure('context')
  const resumed = !known.includes(active.id)
  const { id } = resumed ? active : await keyring.rotate('context')
  const secret = await keyring.secret(id)
  await owner.transaction(actor, (session) => useContextKey(session, { id, secret }))
  return { keyId: id, resumed }
}

/**
 * For a keyring that is lost without a copy: the database accepts another one, and a new epoch begins under its key.
 * What the lost one encrypted stays unreadable, and what it signed verifies with its public key alone.
 *
 * @param confirm the name of the database
 */
export async function adoptKeyring(
  { keyring, store, owner, worker, actor }: RotationParts,
  { reason, confirm }: { readonly reason: string; readonly confirm: string },
): Promise<{ readonly keyId: string; readonly epochs: readonly Epoch[] }> {
  // Before anything is adopted: the epochs at the end refuse it too.
  requireReason(reason)
  const { id } = await keyring.ensure('context')
  const secret = await keyring.secret(id)
  await owner.transaction(actor, async (session) => {
    const { rows } = await session.query<{ name: string }>('select current_database() as name')
    if (rows[0]?.name !== confirm) {
      throw new AkashiError('invalid_input', `the database is ${rows[0]?.name}, not ${confirm}`, {
        hint: 'confirm with the name of the database whose keyring is lost',
      })
    }
    await useContextKey(session, { id, secret })
    await session.query(
      `select akashi_audit.record_action('keyring_adopted', 'rotate', 'key', $1, 'SUCCESS', $2::jsonb, 'confidential')`,
      [id, JSON.stringify({ reason })],
    )
  })
  const { keyId, epochs } = await rotateCheckpointKey(worker, actor, keyring, store, reason)
  return { keyId, epochs }
}

const DAY_MS = 86_400_000

/** The keys of the service with their ages, without any secret. */
export async function keyringState(
  keyring: Keyring,
  database: Database,
  actor: Actor,
  { clock = systemClock, signal }: { readonly clock?: Clock; readonly signal?: AbortSignal } = {},
): Promise<ResponseOf<'GET /v1/keys'>> {
  const ages = await keyAges({ database, keyring, clock, actor })
  const limits = new Map(ages.map(({ keyId, limitDays }) => [keyId, limitDays]))
  const now = clock.now().getTime()
  const { keys, destroyed } = await keyring.countPersonKeys(given({ signal }))
  return {
    keys: (await keyring.list()).map(({ id, purpose, algorithm, createdAt, state }) => {
      const limit = limits.get(id) ?? 0
      return {
        id,
        purpose,
        algorithm,
        createdAt: createdAt.toISOString(),
        state,
        ageDays: Math.max(0, (now - createdAt.getTime()) / DAY_MS),
        limitDays: limit === 0 ? null : limit,
      }
    }),
    rotating: ages.filter(({ unfinished }) => unfinished).map(({ purpose }) => purpose),
    persons: { keys, destroyed },
  }
}
