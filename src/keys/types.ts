/**
 * Keys are kept outside the database, in a keyring (`KEYS_URL`). So a database backup never contains a key, and
 * destroying a person's key erases that person's data everywhere.
 */

/** The single purpose of a key. */
export type KeyPurpose =
  | 'checkpoint'
  | 'context'
  | 'wrapping'
  | 'person'
  /** Of an encrypted chat room. */
  | 'room'
  | 'blind-index'
  | 'report'
  | 'witness'
  /** Of a witness that cosigns with ML-DSA-44. */
  | 'post-quantum-witness'
  /** Decrypts the data keys of backups. */
  | 'backup'
  /** Encrypts the secrets of channels. */
  | 'delivery'

export interface KeyInfo {
  /**
   * e.g. `checkpoint-01998c…`: purpose and a UUID version 7, so the newest sorts last. The id of a person key is
   * derived from its subject, as is that of a room key.
   */
  readonly id: string
  readonly purpose: KeyPurpose
  readonly algorithm: 'ed25519' | 'ml-dsa-44' | 'hmac-sha256' | 'aes-256-gcm' | 'x25519'
  readonly createdAt: Date
  /** The person, for a person key; the room, for a room key. */
  readonly subject: string | null
  /** Retired keys verify and decrypt; they no longer sign or encrypt. */
  readonly state: 'active' | 'retired'
}

/** A keyring. Secrets leave it only through {@link Keyring.secret}. */
export interface Keyring {
  readonly location: string
  /**
   * The active key of a purpose (and person or room); created on first use, safe under races between processes.
   * `conflict` for a person or room whose key was destroyed.
   */
  ensure(purpose: KeyPurpose, subject?: string): Promise<KeyInfo>
  /** The keys of a purpose; without one, all service keys (few) and no keys of persons and rooms. */
  list(purpose?: KeyPurpose): Promise<readonly KeyInfo[]>
  /** Signature of the key's algorithm: 64 bytes for Ed25519, 2,420 for ML-DSA-44. */
  sign(keyId: string, message: Uint8Array): Promise<Uint8Array>
  /** Raw public key: 32 bytes for Ed25519, 1,312 for ML-DSA-44. */
  publicKey(keyId: string): Promise<Uint8Array>
  /**
   * The raw 32 bytes of a key for in-process HMAC, AES, X25519. Refused for signing keys. `not_found` with
   * `destroyed: true` in its detail for an erased person or room. If another process destroys such a key, this one
   * forgets it within a second.
   */
  secret(keyId: string): Promise<Uint8Array>
  /** A new active key of the purpose; the old one becomes `retired`. */
  rotate(purpose: KeyPurpose): Promise<KeyInfo>
  /**
   * Makes a new wrapping key and rewraps the keys of all persons and rooms online; resumes an interrupted rotation. `cancelled` if
   * the signal stopped it.
   */
  rotateWrapping(options?: RotationOptions): Promise<RotationResult>
  /** Reads every person's key: some seconds for 100,000. */
  countPersonKeys(options?: Pick<RotationOptions, 'signal'>): Promise<PersonKeyCounts>
  /** True while a rotation of the wrapping key is in progress or was interrupted. */
  isRotating(): Promise<boolean>
  /** The active index key, and during a rotation the previous one. */
  indexKeys(): Promise<IndexKeys>
  /** Makes a new blind index key; lookups still use the old one too. Resumes an interrupted rotation. */
  beginIndexRotation(): Promise<{ readonly keyId: string; readonly resumed: boolean }>
  /** Call once every value is reindexed: stops lookups under the old key. */
  endIndexRotation(): Promise<void>
  /** `destroyed`: the key of an erased person; `unknown`: a key the keyring never had. */
  state(keyId: string): Promise<'present' | 'destroyed' | 'unknown'>
  /** Permanently destroys a key (overwrite, sync, unlink); idempotent. */
  destroy(keyId: string): Promise<void>
  /** The ids of all destroyed person keys, with which the database must agree. */
  destroyed(): Promise<ReadonlySet<string>>
  close(): Promise<void>
}

export interface IndexKeys {
  readonly active: string
  /** null if no rotation is in progress. */
  readonly former: string | null
}

export interface RotationOptions {
  readonly signal?: AbortSignal
  /** Persons processed so far, and in total. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void
}

export interface RotationResult {
  /** The wrapping key that is active now. */
  readonly keyId: string
  /** True if it resumed an interrupted rotation. */
  readonly resumed: boolean
  /** Persons processed, and keys that this run rewrapped. */
  readonly keys: number
  readonly rewrapped: number
}

export interface PersonKeyCounts {
  readonly keys: number
  /** Persons whose key was destroyed. */
  readonly destroyed: number
  /** Encrypted rooms that have a key. */
  readonly rooms: number
  /** Keys of persons and rooms by the id of the wrapping key that wraps them. */
  readonly wrappedBy: ReadonlyMap<string, number>
  /** True while a rotation is in progress or was interrupted. */
  readonly rotating: boolean
}
