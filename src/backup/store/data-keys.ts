/**
 * Data keys encrypt objects. Each is stored as an age file encrypted to all recipients, so that changing the
 * recipients does not touch encrypted objects.
 */
import { randomBytes } from 'node:crypto'
import { Decrypter, Encrypter, identityToRecipient } from 'age-encryption'
import { z } from 'zod'
import { AkashiError, given, uuidV7 } from '../../foundation/index.ts'
import type { ObjectStore } from '../../object-store/index.ts'
import { auditCopyKey, auditCopyPrefix, dataKeyName, dataKeyPrefix } from './paths.ts'
import { damagedObject } from './sealing.ts'
import { putWithRetries, readObject } from './transfer.ts'

const SECRET_BYTES = 32

export interface DataKey {
  readonly id: string
  readonly secret: Buffer
}

const keyFile = z.strictObject({ id: z.uuid(), secret: z.base64() })

/** Who can decrypt backups: own `identities`, and `recipients`, further public keys (`age1…`). */
export interface Recipients {
  readonly identities: readonly string[]
  readonly recipients: readonly string[]
}

export class DataKeys {
  readonly #store: ObjectStore
  readonly #systemId: string
  readonly #who: Recipients
  readonly #known = new Map<string, DataKey>()

  constructor(store: ObjectStore, systemId: string, who: Recipients) {
    this.#store = store
    this.#systemId = systemId
    this.#who = who
  }

  /** Makes a key and stores it before anything is encrypted with it. */
  async create(signal?: AbortSignal): Promise<DataKey> {
    const key = { id: uuidV7(), secret: randomBytes(SECRET_BYTES) }
    await this.#put(key, signal)
    this.#known.set(key.id, key)
    return key
  }

  /**
   * @param user the object that uses the key
   * @param beside name of another place of the key, where it is missing in its own
   * @throws integrity; forbidden if none of our identities can decrypt it
   */
  async open(id: string, user: string, signal?: AbortSignal, beside?: string): Promise<DataKey> {
    const known = this.#known.get(id)
    if (known !== undefined) return known
    let name = dataKeyName(this.#systemId, id)
    let sealed = await this.#read(name, signal)
    if (sealed === undefined && beside !== undefined) {
      name = beside
      sealed = await this.#read(name, signal)
    }
    if (sealed === undefined) throw damagedObject(user, `its data key ${id} is missing`)
    const key = await decrypt(name, sealed, this.#who.identities)
    if (key.id !== id) throw damagedObject(name, 'it contains another key')
    this.#known.set(id, key)
    return key
  }

  /** Stores a key in another place too. */
  async keepBeside(key: DataKey, name: string, signal?: AbortSignal): Promise<void> {
    await this.#put(key, signal, name)
  }

  /** undefined if it is missing. */
  async #read(name: string, signal?: AbortSignal): Promise<Buffer | undefined> {
    return await readObject(this.#store, name, signal).catch((error: unknown) => {
      if (!(error instanceof AkashiError) || error.code !== 'not_found') throw error
      return undefined
    })
  }

  /** Rewraps every key for the current recipients; returns the number of keys. */
  async rewrap(signal?: AbortSignal): Promise<number> {
    let count = 0
    for await (const { key: name } of this.#store.list(dataKeyPrefix(this.#systemId))) {
      const id = name.slice(name.lastIndexOf('/') + 1, -'.age'.length)
      await this.#put(await this.open(id, name, signal), signal)
      count += 1
    }
    const copies = auditCopyPrefix('cold', this.#systemId)
    for await (const folder of this.#store.listFolders(copies, given({ signal }))) {
      const name = auditCopyKey(this.#systemId, folder.slice(copies.length, -1))
      const sealed = await this.#read(name, signal)
      if (sealed !== undefined)
        await this.#put(await decrypt(name, sealed, this.#who.identities), signal, name)
    }
    return count
  }

  async #put(key: DataKey, signal?: AbortSignal, name = dataKeyName(this.#systemId, key.id)): Promise<void> {
    const encrypter = new Encrypter()
    const [own] = this.#who.identities
    const everyone = new Set(this.#who.recipients)
    if (own !== undefined) everyone.add(await identityToRecipient(own))
    for (const recipient of everyone) encrypter.addRecipient(recipient)
    const text = JSON.stringify({ id: key.id, secret: key.secret.toString('base64') })
    const sealed = await encrypter.encrypt(text)
    await putWithRetries(this.#store, name, sealed, signal)
  }
}

async function decrypt(name: string, sealed: Uint8Array, identities: readonly string[]): Promise<DataKey> {
  const decrypter = new Decrypter()
  for (const identity of identities) decrypter.addIdentity(identity)
  let text: string
  try {
    text = await decrypter.decrypt(sealed, 'text')
  } catch (cause) {
    // age distinguishes the two only by its message.
    if (cause instanceof Error && /no identity matched/.test(cause.message)) {
      throw new AkashiError('forbidden', `no key of this keyring can decrypt ${name}`, {
        hint: 'use the keyring with which the backup was taken (KEYS_URL), or an identity that is a recipient',
        detail: { object: name },
      })
    }
    throw damagedObject(name, 'the wrapped data key was changed', cause)
  }
  const parsed = keyFile.safeParse(JSON.parse(text))
  if (!parsed.success) throw damagedObject(name, 'it contains no data key')
  return { id: parsed.data.id, secret: Buffer.from(parsed.data.secret, 'base64') }
}
