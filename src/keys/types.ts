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
  /** e.g. `checkpoint-01998c…`: purpose and a UUID version 7, so the newest sorts last. */
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
  /** The active key of a purpose (and person); made on first use, safe when several processes race. */
  ensure(purpose: KeyPurpose, subject?: string): Promise<KeyInfo>
  list(purpose?: KeyPurpose): Promise<readonly KeyInfo[]>
  /** Ed25519 signature, 64 bytes. */
  sign(keyId: string, message: Uint8Array): Promise<Uint8Array>
  /** Raw Ed25519 public key, 32 bytes. */
  publicKey(keyId: string): Promise<Uint8Array>
  /** The raw 32 bytes of a symmetric key, for in-process HMAC, AES and X25519. Refused for signing keys. */
  secret(keyId: string): Promise<Uint8Array>
  /** A new active key of the purpose; the old one becomes `retired`. */
  rotate(purpose: KeyPurpose): Promise<KeyInfo>
  /** Destroys a key for good (overwritten, synced, unlinked); idempotent. */
  destroy(keyId: string): Promise<void>
  close(): Promise<void>
}
