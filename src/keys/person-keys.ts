/**
 * Keys of persons and encrypted rooms, one file each:
 *
 *   persons/<xx>/<id>.json   the key, wrapped by a wrapping key, or a tombstone
 *   replacing/               old wrappings, until they are overwritten
 *   destroying/              keys being destroyed, until they are overwritten
 *   erased/<id>              empty: an index of the destroyed keys
 *   persons.lock             held while a key is rewrapped or destroyed, so that neither undoes the other
 *
 * A key is created by link(2), which fails if the name exists, so racing processes agree on one. Creating and
 * reading need no lock.
 */
import { randomBytes } from 'node:crypto'
import { link, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { AkashiError, type Clock, errno, syncFolder, tryLock } from '../foundation/index.ts'
import { type Key, SECRET_BYTES } from './key.ts'
import { noSuchKey } from './key-file.ts'
import {
  encodeDestroyed,
  encodePersonKey,
  type Owned,
  ownedKeyId,
  ownedPurposeOf,
  type PersonFile,
  parsePersonFile,
  shardOf,
  unwrapPersonKey,
  type WrappedPersonKey,
} from './person-key-file.ts'
import { preparePrivateFolder, readPrivateFile, shred, writeIfAbsent, writeNew } from './private-files.ts'
import { SecretCache } from './secret-cache.ts'
import type { KeyInfo } from './types.ts'

const SUFFIX = '.json'
const NONCE_BYTES = 8
const READ_AT_ONCE = 32
const LOCK_MODE = 0o600
const LOCK_POLL_MS = 10
/** A batch of rewrapping holds the lock for about a second. */
const LOCK_WAIT_MS = 60_000

/** Source of the wrapping keys. */
export interface WrappingKeys {
  active(): Promise<Key>
  read(id: string): Promise<Key>
}

export class PersonKeys {
  readonly #root: string
  readonly #wrapping: WrappingKeys
  readonly #clock: Clock
  readonly #cache = new SecretCache()

  constructor(root: string, wrapping: WrappingKeys, clock: Clock) {
    this.#root = root
    this.#wrapping = wrapping
    this.#clock = clock
  }

  /** Creates the folders and finishes what a dead process left unfinished. */
  async open(): Promise<void> {
    for (const folder of ['persons', 'replacing', 'erased'])
      await preparePrivateFolder(join(this.#root, folder))
    await (await open(this.#lock, 'a', LOCK_MODE)).close()
    if ((await readdir(join(this.#root, 'replacing'))).length > 0) {
      await this.#locked(async () => {
        for (const name of await readdir(join(this.#root, 'replacing')))
          await shred(join(this.#root, 'replacing', name))
      })
    }
    for (const name of await readdir(join(this.#root, 'destroying'))) {
      const id = name.slice(0, name.lastIndexOf('.'))
      if (ownedPurposeOf(id) !== undefined) await this.destroy(id)
    }
  }

  /** `conflict` if the key was destroyed: it is never recreated. */
  async ensure(purpose: Owned, subject: string | undefined): Promise<KeyInfo> {
    const id = ownedKeyId(purpose, subject)
    for (;;) {
      const found = await this.#read(id)
      if (found?.kind === 'key') return infoOf(found)
      if (found?.kind === 'destroyed') {
        throw new AkashiError('conflict', `the ${purpose} was erased: a destroyed key cannot be recreated`, {
          detail: { keyId: id },
        })
      }
      const made = { id, subject: subject ?? '', createdAt: this.#clock.now() }
      const secret = randomBytes(SECRET_BYTES)
      const text = encodePersonKey(made, secret, await this.#wrapping.active())
      if (await this.#writeIfAbsent(id, text)) {
        this.#cache.set(id, secret)
        return infoOf(made)
      }
    }
  }

  /** `not_found`, with `destroyed` in its detail, if there is none. */
  async secret(id: string): Promise<Buffer> {
    const cached = this.#cache.get(id)
    if (cached !== null) return cached
    for (let text: string | null = null; ; ) {
      const before: string | null = text
      text = await readPrivateFile(this.#path(id))
      if (text === null) throw noSuchKey(id, false)
      try {
        const file = parsePersonFile(id, text)
        if (file.kind === 'destroyed') throw noSuchKey(id, true)
        const secret = unwrapPersonKey(file, await this.#wrapping.read(file.wrappedBy))
        this.#cache.set(id, secret)
        return secret
      } catch (error) {
        if (isChanging(error) && text !== before) continue
        throw error
      }
    }
  }

  async state(id: string): Promise<'present' | 'destroyed' | 'unknown'> {
    const file = await this.#read(id)
    if (file === null) return 'unknown'
    return file.kind === 'key' ? 'present' : 'destroyed'
  }

  /** Permanent, also for a person who never had a key. Idempotent. */
  async destroy(id: string): Promise<void> {
    this.#cache.forget(id)
    await this.#locked(() => this.#destroy(id))
    this.#cache.forget(id)
  }

  /** The ids of the keys of persons that were destroyed. */
  async destroyed(): Promise<ReadonlySet<string>> {
    return new Set(
      (await readdir(join(this.#root, 'erased'))).filter((id) => ownedPurposeOf(id) === 'person'),
    )
  }

  /** The files of all persons, shard by shard. */
  async *all(): AsyncGenerator<{ readonly id: string; readonly file: PersonFile }, void, undefined> {
    for await (const ids of this.shards()) {
      for (let at = 0; at < ids.length; at += READ_AT_ONCE) {
        const batch = ids.slice(at, at + READ_AT_ONCE)
        const files = await Promise.all(batch.map(async (id) => ({ id, file: await this.#read(id) })))
        for (const { id, file } of files) if (file !== null) yield { id, file }
      }
    }
  }

  /** Key ids by shard; a shard contains about 1/256 of all. */
  async *shards(): AsyncGenerator<readonly string[], void, undefined> {
    for (const shard of (await readdir(join(this.#root, 'persons'))).sort()) {
      const names = await readdir(join(this.#root, 'persons', shard))
      yield names
        .filter((name) => name.endsWith(SUFFIX))
        .map((name) => name.slice(0, -SUFFIX.length))
        .sort()
    }
  }

  /** Rewraps the keys that another key wraps; skips destroyed ones. Returns how many it rewrapped. */
  async rewrap(ids: readonly string[], wrapping: Key): Promise<number> {
    // Checked first, so that a pass without work takes no lock.
    const stale = await Promise.all(
      ids.map(async (id) => {
        const file = await this.#read(id)
        return file?.kind === 'key' && file.wrappedBy !== wrapping.id
      }),
    )
    const left = ids.filter((_, at) => stale[at])
    if (left.length === 0) return 0
    const done = await this.#locked(() => Promise.all(left.map((id) => this.#rewrap(id, wrapping))))
    return done.filter(Boolean).length
  }

  async #rewrap(id: string, wrapping: Key): Promise<boolean> {
    const file = await this.#read(id)
    if (file?.kind !== 'key' || file.wrappedBy === wrapping.id) return false
    const secret = unwrapPersonKey(file, await this.#wrapping.read(file.wrappedBy))
    const text = encodePersonKey(file, secret, wrapping)
    secret.fill(0)
    const replaced = await this.#secondName('replacing', id)
    await writeNew(this.#temp, this.#path(id), text)
    await shred(replaced)
    return true
  }

  async #locked<T>(work: () => Promise<T>): Promise<T> {
    const until = performance.now() + LOCK_WAIT_MS
    for (;;) {
      const lock = tryLock(this.#lock)
      if (lock === undefined) {
        if (performance.now() > until) {
          throw new AkashiError('timeout', 'another process is changing person keys', {
            hint: 'try again later',
          })
        }
        await sleep(LOCK_POLL_MS)
        continue
      }
      try {
        return await work()
      } finally {
        lock.release()
      }
    }
  }

  close(): void {
    this.#cache.clear()
  }

  async #destroy(id: string): Promise<void> {
    const destroyed = encodeDestroyed(id, this.#clock.now())
    for (;;) {
      const text = await readPrivateFile(this.#path(id))
      if (text === null) {
        if (await this.#writeIfAbsent(id, destroyed)) break
        continue
      }
      if (isTombstone(id, text)) break
      await this.#secondName('destroying', id)
      await writeNew(this.#temp, this.#path(id), destroyed)
      break
    }
    // Before the old bytes are shredded: after a crash in between, the next start finds them and resumes here.
    await writeIfAbsent(this.#temp, join(this.#root, 'erased', id), '')
    // The file may have a third name from a process that died while creating the key.
    for (const name of await readdir(join(this.#root, 'destroying')))
      if (name.startsWith(`${id}.`)) await shred(join(this.#root, 'destroying', name), { everyName: true })
  }

  /** Lets the next start find and overwrite the old bytes if this process dies after replacing them. */
  async #secondName(folder: 'replacing' | 'destroying', id: string): Promise<string> {
    const name = join(this.#root, folder, `${id}.${randomBytes(NONCE_BYTES).toString('hex')}`)
    await link(this.#path(id), name)
    await syncFolder(join(this.#root, folder))
    return name
  }

  /** null if absent. Retries if the file is overwritten while it is read. */
  async #read(id: string): Promise<PersonFile | null> {
    for (let text: string | null = null; ; ) {
      const before: string | null = text
      text = await readPrivateFile(this.#path(id))
      if (text === null) return null
      try {
        return parsePersonFile(id, text)
      } catch (error) {
        if (text === before) throw error
      }
    }
  }

  async #writeIfAbsent(id: string, text: string): Promise<boolean> {
    try {
      return await writeIfAbsent(this.#temp, this.#path(id), text)
    } catch (error) {
      if (errno(error) !== 'ENOENT') throw error
      await preparePrivateFolder(join(this.#root, 'persons', shardOf(id)))
      return await writeIfAbsent(this.#temp, this.#path(id), text)
    }
  }

  get #lock(): string {
    return join(this.#root, 'persons.lock')
  }

  get #temp(): string {
    return join(this.#root, 'temp')
  }

  #path(id: string): string {
    return join(this.#root, 'persons', shardOf(id), `${id}${SUFFIX}`)
  }
}

export function infoOf({
  id,
  subject,
  createdAt,
}: Omit<WrappedPersonKey, 'kind' | 'wrappedBy' | 'wrapped'>): KeyInfo {
  return {
    id,
    purpose: ownedPurposeOf(id) ?? 'person',
    algorithm: 'aes-256-gcm',
    createdAt,
    subject,
    state: 'active',
  }
}

/** A damaged file counts as a key, so that it is destroyed too. */
function isTombstone(id: string, text: string): boolean {
  try {
    return parsePersonFile(id, text).kind === 'destroyed'
  } catch {
    return false
  }
}

function isChanging(error: unknown): boolean {
  return error instanceof AkashiError && error.code === 'integrity'
}
