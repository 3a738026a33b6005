/**
 * Keys live outside the database, in a keyring behind a key service (`KEYS_URL`), so that a backup of
 * the database never holds one and destroying a person's key erases that person's data everywhere.
 */

/** What a key is for; a key never serves two purposes. */
export type KeyPurpose =
  | 'checkpoint'
  | 'context'
  | 'wrapping'
  | 'person'
  | 'blind-index'
  | 'report'
  | 'witness'
  /** Opens the data keys of backups. */
  | 'backup'

export interface KeyInfo {
  /**
   * e.g. `checkpoint-01998c…`: purpose and a UUID version 7, so the newest sorts last. A person's follows
   * from who it is.
   */
  readonly id: string
  readonly purpose: KeyPurpose
  readonly algorithm: 'ed25519' | 'hmac-sha256' | 'aes-256-gcm' | 'x25519'
  readonly createdAt: Date
  /** For a person key: whose. */
  readonly subject: string | null
  /** Retired keys verify and decrypt; they no longer sign or encrypt. */
  readonly state: 'active' | 'retired'
}

/** The keyring's verbs. Secret bytes leave it only through {@link Keyring.secret}. */
export interface Keyring {
  readonly location: string
  /**
   * The active key of a purpose (and person); made on first use, safe when several processes race.
   * `conflict` for a person whose key was destroyed.
   */
  ensure(purpose: KeyPurpose, subject?: string): Promise<KeyInfo>
  /** The keys of a purpose; without one those of the service, which are few, and none of a person. */
  list(purpose?: KeyPurpose): Promise<readonly KeyInfo[]>
  /** Ed25519 signature, 64 bytes. */
  sign(keyId: string, message: Uint8Array): Promise<Uint8Array>
  /** Raw Ed25519 public key, 32 bytes. */
  publicKey(keyId: string): Promise<Uint8Array>
  /**
   * The raw 32 bytes of a symmetric key, for in-process HMAC, AES, X25519. Refused for signing keys. `not_found`
   * with `destroyed: true` in its detail for a person who was erased. A person's key that another process
   * destroyed is forgotten within a second.
   */
  secret(keyId: string): Promise<Uint8Array>
  /** A new active key of the purpose; the old one becomes `retired`. */
  rotate(purpose: KeyPurpose): Promise<KeyInfo>
  /**
   * A new wrapping key, and every person's key wrapped by it, while everything goes on; goes on with a
   * rotation that was cut short. `cancelled` when the signal stopped it.
   */
  rotateWrapping(options?: RotationOptions): Promise<RotationResult>
  /** Looks at every person's key: some seconds for 100,000. */
  countPersonKeys(options?: Pick<RotationOptions, 'signal'>): Promise<PersonKeyCounts>
  /** True while a rotation of the wrapping key is under way, or was cut short. */
  isRotating(): Promise<boolean>
  /** What values are indexed under, and during a rotation what they were indexed under before. */
  indexKeys(): Promise<IndexKeys>
  /** A new key for blind indexes, with the old one still looked under; goes on with what was cut short. */
  beginIndexRotation(): Promise<{ readonly keyId: string; readonly resumed: boolean }>
  /** Once every value is indexed anew: nothing is looked for under the old key any more. */
  endIndexRotation(): Promise<void>
  /** Whether the keyring has a key; `destroyed` is a person who was erased, `unknown` a key it never had. */
  state(keyId: string): Promise<'present' | 'destroyed' | 'unknown'>
  /** Destroys a key for good (overwritten, synced, unlinked); idempotent. */
  destroy(keyId: string): Promise<void>
  /** The ids of all keys of persons that were destroyed: what a database has to agree with. */
  destroyed(): Promise<ReadonlySet<string>>
  close(): Promise<void>
}

export interface IndexKeys {
  readonly active: string
  /** null while no rotation is under way. */
  readonly former: string | null
}

export interface RotationOptions {
  readonly signal?: AbortSignal
  /** Persons looked at so far, and of how many. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void
}

export interface RotationResult {
  /** The wrapping key that is active now. */
  readonly keyId: string
  /** True when it went on with a rotation that was cut short. */
  readonly resumed: boolean
  /** Persons looked at, and of those the keys that this run wrapped anew. */
  readonly keys: number
  readonly rewrapped: number
}

export interface PersonKeyCounts {
  readonly keys: number
  /** Persons whose key was destroyed. */
  readonly destroyed: number
  /** Keys by the id of the wrapping key that wraps them. */
  readonly wrappedBy: ReadonlyMap<string, number>
  /** True while a rotation is under way, or was cut short. */
  readonly rotating: boolean
}
