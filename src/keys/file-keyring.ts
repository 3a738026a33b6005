/**
 * The local key service: a folder that only its owner may enter.
 *
 *   keyring.json       whether a passphrase wraps the keys
 *   keys/<id>.json     one key; written once, never changed
 *   slots/<slot>.<n>   the id of the nth key of a purpose (and person); the highest n is the active one
 *   destroying/<id>    a key on its way out, seen by nobody
 *   temp/              what is being written
 *
 * Slots are only ever added, each by link(2), which fails when the name exists: so processes that race
 * to make or to rotate a key agree on one, without a lock that a dead process could hold.
 */
import { createHash } from 'node:crypto'
import { readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import {
  AkashiError,
  type Clock,
  errno,
  folderOfFileUrl,
  syncFolder,
  systemClock,
} from '../foundation/index.ts'
import { publicKeyOf, signEd25519 } from './ed25519.ts'
import { algorithmOf, decodeKey, encodeKey, isKeyId, type Key, newKey } from './key-file.ts'
import { damagedKeyring, openProtection } from './keyring-file.ts'
import type { Wrapping } from './passphrase.ts'
import {
  preparePrivateFolder,
  readPrivateFile,
  shred,
  shredLeftovers,
  writeIfAbsent,
  writeNew,
} from './private-files.ts'
import type { KeyInfo, KeyPurpose, Keyring } from './types.ts'

const FOLDERS = ['keys', 'slots', 'destroying', 'temp'] as const
const MAX_SUBJECT_BYTES = 255
const SUFFIX = '.json'

export interface KeyringOptions {
  /** Wraps every key of a `file:` keyring; decided when the keyring is made. */
  readonly passphrase?: string
  readonly clock?: Clock
}

export async function openFileKeyring(url: string, options: KeyringOptions): Promise<Keyring> {
  const root = folderOfFileUrl(url)
  try {
    await preparePrivateFolder(root)
    for (const folder of FOLDERS) await preparePrivateFolder(join(root, folder))
    const wrapping = await openProtection(root, options.passphrase)
    await shredLeftovers(join(root, 'temp'))
    for (const name of await readdir(join(root, 'destroying'))) await shred(join(root, 'destroying', name))
    return new FileKeyring(root, wrapping, options)
  } catch (error) {
    throw asKeyringError(error)
  }
}

class FileKeyring implements Keyring {
  readonly location: string
  readonly #root: string
  readonly #wrapping: Wrapping | null
  readonly #clock: Clock
  #closed = false

  constructor(root: string, wrapping: Wrapping | null, options: KeyringOptions) {
    this.location = `file:${root}`
    this.#root = root
    this.#wrapping = wrapping
    this.#clock = options.clock ?? systemClock
  }

  ensure(purpose: KeyPurpose, subject?: string): Promise<KeyInfo> {
    return this.#run(async () => {
      const slot = slotOf(purpose, subject)
      for (;;) {
        const { last, activeId } = await this.#slot(slot)
        const active = activeId === null ? null : await this.#read(activeId)
        if (active !== null) return infoOf(active, 'active')
        const made = await this.#makeActive(slot, last + 1, purpose, subject ?? null)
        if (made !== null) return made
      }
    })
  }

  list(purpose?: KeyPurpose): Promise<readonly KeyInfo[]> {
    return this.#run(async () => {
      const infos: KeyInfo[] = []
      for (const name of (await readdir(join(this.#root, 'keys'))).sort()) {
        const id = name.slice(0, -SUFFIX.length)
        if (!isKeyId(id) || (purpose !== undefined && purposeOf(id) !== purpose)) continue
        const key = await this.#read(id)
        if (key !== null) infos.push(infoOf(key, (await this.#isActive(key)) ? 'active' : 'retired'))
      }
      return infos
    })
  }

  sign(keyId: string, message: Uint8Array): Promise<Uint8Array> {
    return this.#run(async () => {
      const key = await this.#signingKey(keyId)
      if (!(await this.#isActive(key))) {
        throw new AkashiError('conflict', 'the key is retired and signs no more', {
          hint: 'sign with the active key of its purpose',
          detail: { keyId },
        })
      }
      return signEd25519(key.secret, message)
    })
  }

  publicKey(keyId: string): Promise<Uint8Array> {
    return this.#run(async () => publicKeyOf((await this.#signingKey(keyId)).secret))
  }

  secret(keyId: string): Promise<Uint8Array> {
    return this.#run(async () => {
      const key = await this.#get(keyId)
      if (key.algorithm !== 'ed25519') return key.secret
      throw new AkashiError('forbidden', 'the secret of a signing key does not leave the keyring', {
        hint: 'ask the keyring to sign',
        detail: { keyId },
      })
    })
  }

  rotate(purpose: KeyPurpose): Promise<KeyInfo> {
    return this.#run(async () => {
      const slot = slotOf(purpose, undefined)
      const { last } = await this.#slot(slot)
      const made = await this.#makeActive(slot, last + 1, purpose, null)
      // Another process has just rotated: its key is as new as this one would have been.
      return made ?? this.ensure(purpose)
    })
  }

  destroy(keyId: string): Promise<void> {
    return this.#run(async () => {
      assertKeyId(keyId)
      const doomed = join(this.#root, 'destroying', keyId)
      try {
        await rename(this.#path(keyId), doomed)
      } catch (error) {
        if (errno(error) !== 'ENOENT') throw error
      }
      await syncFolder(join(this.#root, 'keys'))
      await syncFolder(join(this.#root, 'destroying'))
      await shred(doomed)
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#wrapping?.forget()
  }

  async #run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new AkashiError('conflict', 'the keyring is closed')
    try {
      return await work()
    } catch (error) {
      throw asKeyringError(error)
    }
  }

  /** null when another process took the place first; the key made for it is destroyed again. */
  async #makeActive(
    slot: string,
    n: number,
    purpose: KeyPurpose,
    subject: string | null,
  ): Promise<KeyInfo | null> {
    const temp = join(this.#root, 'temp')
    const key = newKey(purpose, subject, this.#clock.now())
    await writeNew(temp, this.#path(key.id), encodeKey(key, this.#wrapping))
    if (await writeIfAbsent(temp, this.#slotPath(slot, n), `${key.id}\n`)) return infoOf(key, 'active')
    await this.destroy(key.id)
    return null
  }

  /** How many keys the slot has had, and the id of the last; that key may have been destroyed since. */
  async #slot(slot: string): Promise<{ last: number; activeId: string | null }> {
    let activeId: string | null = null
    for (let n = 1; ; n++) {
      const text = await readPrivateFile(this.#slotPath(slot, n))
      if (text === null) return { last: n - 1, activeId }
      activeId = text.trimEnd()
      if (!isKeyId(activeId)) throw damagedKeyring()
    }
  }

  async #isActive(key: Key): Promise<boolean> {
    return (await this.#slot(slotOf(key.purpose, key.subject ?? undefined))).activeId === key.id
  }

  async #signingKey(keyId: string): Promise<Key> {
    const key = await this.#get(keyId)
    if (key.algorithm === 'ed25519') return key
    throw new AkashiError('invalid_input', 'the key does not sign', { detail: { keyId } })
  }

  async #get(keyId: string): Promise<Key> {
    assertKeyId(keyId)
    const key = await this.#read(keyId)
    if (key !== null) return key
    throw new AkashiError('not_found', 'the keyring has no such key, or it was destroyed', {
      detail: { keyId },
    })
  }

  async #read(id: string): Promise<Key | null> {
    const text = await readPrivateFile(this.#path(id))
    if (text === null) return null
    try {
      return decodeKey(id, text, this.#wrapping)
    } catch (error) {
      // Read while another process was destroying it.
      if ((await readPrivateFile(this.#path(id))) === null) return null
      throw error
    }
  }

  #path(id: string): string {
    return join(this.#root, 'keys', `${id}${SUFFIX}`)
  }

  #slotPath(slot: string, n: number): string {
    return join(this.#root, 'slots', `${slot}.${n}`)
  }
}

/** A person's slot is named by a digest: a subject may have any character, a file name may not. */
function slotOf(purpose: KeyPurpose, subject: string | undefined): string {
  if (!Object.hasOwn(algorithmOf, purpose))
    throw new AkashiError('invalid_input', 'there is no such key purpose')
  if (purpose === 'person') {
    if (subject !== undefined && subject !== '' && Buffer.byteLength(subject) <= MAX_SUBJECT_BYTES) {
      return `person-${createHash('sha256').update(subject).digest('hex')}`
    }
    throw new AkashiError('invalid_input', 'a person key belongs to one person', {
      hint: `name the person in 1 to ${MAX_SUBJECT_BYTES} bytes; a person's key is destroyed, never rotated`,
    })
  }
  if (subject !== undefined) throw new AkashiError('invalid_input', `a ${purpose} key belongs to no person`)
  return purpose
}

function purposeOf(id: string): string {
  return id.slice(0, -'-00000000-0000-0000-0000-000000000000'.length)
}

function infoOf(key: Key, state: KeyInfo['state']): KeyInfo {
  const { secret: _, ...info } = key
  return { ...info, state }
}

function assertKeyId(keyId: string): void {
  if (!isKeyId(keyId)) throw new AkashiError('invalid_input', 'this is not the id of a key')
}

/** Turns a failed system call into an error of the catalogue; leaves every other error as it is. */
function asKeyringError(error: unknown): unknown {
  const code = errno(error)
  if (error instanceof AkashiError || code === undefined) return error
  return new AkashiError('unavailable', `the keyring cannot be used (${code})`, {
    hint: 'its folder must be readable and writable by this process alone',
    cause: error,
    detail: { code },
  })
}
