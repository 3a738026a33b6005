/**
 * The few keys of the service: for signing, contexts, indexes, and for wrapping person keys.
 *
 *   keys/<id>.json     one key; written once, never changed
 *   slots/<slot>.<n>   the id of the nth key of a purpose; the highest n is the active one
 *
 * Slots are only added, by link(2), which fails if the name exists. So processes racing to create or rotate a
 * key agree on one without a lock.
 */
import { readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { AkashiError, type Clock, errno, syncFolder } from '../foundation/index.ts'
import { algorithmOf, isKeyId, type Key } from './key.ts'
import { decodeKey, makeKey, noSuchKey } from './key-file.ts'
import type { KeyService } from './key-service.ts'
import { damagedKeyring } from './keyring-file.ts'
import { readPrivateFile, shred, writeIfAbsent, writeNew } from './private-files.ts'
import type { KeyInfo, KeyPurpose } from './types.ts'

const SUFFIX = '.json'
/** A service has a handful of keys; more are evicted. */
const CACHE_KEYS = 64

export class ServiceKeys {
  readonly #root: string
  readonly #service: KeyService
  readonly #clock: Clock
  /** By id with the file text: an unchanged key is not unwrapped again. */
  readonly #opened = new Map<string, { readonly text: string; readonly key: Key }>()

  constructor(root: string, service: KeyService, clock: Clock) {
    this.#root = root
    this.#service = service
    this.#clock = clock
  }

  async ensure(purpose: KeyPurpose): Promise<Key> {
    for (;;) {
      const { last, activeId } = await this.#slot(slotOf(purpose))
      const active = activeId === null ? null : await this.#read(activeId)
      const found = active ?? (await this.#makeActive(purpose, last + 1))
      if (found !== null) return found
    }
  }

  async rotate(purpose: KeyPurpose): Promise<Key> {
    const { last } = await this.#slot(slotOf(purpose))
    // null: another process has just rotated; use its key.
    return (await this.#makeActive(purpose, last + 1)) ?? (await this.ensure(purpose))
  }

  async list(purpose?: KeyPurpose): Promise<readonly KeyInfo[]> {
    const infos: KeyInfo[] = []
    for (const name of (await readdir(join(this.#root, 'keys'))).sort()) {
      const id = name.slice(0, -SUFFIX.length)
      if (!isKeyId(id) || (purpose !== undefined && !id.startsWith(`${purpose}-`))) continue
      const key = await this.#read(id)
      if (key !== null) infos.push(infoOf(key, (await this.isActive(key)) ? 'active' : 'retired'))
    }
    return infos
  }

  async get(id: string): Promise<Key> {
    const key = await this.#read(id)
    if (key !== null) return key
    throw noSuchKey(id, false)
  }

  async has(id: string): Promise<boolean> {
    return (await this.#read(id)) !== null
  }

  async isActive(key: Key): Promise<boolean> {
    return (await this.#slot(slotOf(key.purpose))).activeId === key.id
  }

  async destroy(id: string): Promise<void> {
    const doomed = join(this.#root, 'destroying', id)
    this.#forget(id)
    try {
      await rename(this.#path(id), doomed)
    } catch (error) {
      if (errno(error) !== 'ENOENT') throw error
    }
    await syncFolder(join(this.#root, 'keys'))
    await syncFolder(join(this.#root, 'destroying'))
    await shred(doomed)
  }

  close(): void {
    for (const id of [...this.#opened.keys()]) this.#forget(id)
  }

  /** null if another process took the slot first; the key made for it is destroyed. */
  async #makeActive(purpose: KeyPurpose, n: number): Promise<Key | null> {
    const temp = join(this.#root, 'temp')
    const { key, text } = await makeKey(purpose, this.#clock.now(), this.#service)
    await writeNew(temp, this.#path(key.id), text)
    if (await writeIfAbsent(temp, this.#slotPath(slotOf(purpose), n), `${key.id}\n`)) return key
    await this.destroy(key.id)
    return null
  }

  /** The number of keys the slot has had and the id of the last, which may have been destroyed since. */
  async #slot(slot: string): Promise<{ last: number; activeId: string | null }> {
    let activeId: string | null = null
    for (let n = 1; ; n++) {
      const text = await readPrivateFile(this.#slotPath(slot, n))
      if (text === null) return { last: n - 1, activeId }
      activeId = text.trimEnd()
      if (!isKeyId(activeId)) throw damagedKeyring()
    }
  }

  /** null if absent. Always reads the file, since another process may have destroyed it. */
  async #read(id: string): Promise<Key | null> {
    const text = await readPrivateFile(this.#path(id))
    if (text === null) {
      this.#forget(id)
      return null
    }
    const opened = this.#opened.get(id)
    if (opened?.text === text) return opened.key
    try {
      const key = await decodeKey(id, text, this.#service)
      if (this.#opened.size < CACHE_KEYS) this.#opened.set(id, { text, key })
      return key
    } catch (error) {
      // Another process destroyed it while it was being read.
      if ((await readPrivateFile(this.#path(id))) === null) return null
      throw error
    }
  }

  #forget(id: string): void {
    this.#opened.get(id)?.key.secret.fill(0)
    this.#opened.delete(id)
  }

  #path(id: string): string {
    return join(this.#root, 'keys', `${id}${SUFFIX}`)
  }

  #slotPath(slot: string, n: number): string {
    return join(this.#root, 'slots', `${slot}.${n}`)
  }
}

function slotOf(purpose: KeyPurpose): string {
  if (Object.hasOwn(algorithmOf, purpose) && purpose !== 'person') return purpose
  throw new AkashiError('invalid_input', 'unknown key purpose')
}

export function infoOf(key: Key, state: KeyInfo['state']): KeyInfo {
  const { secret: _, ...info } = key
  return { ...info, state }
}
