/**
 * Signed notes (https://c2sp.org/signed-note) with Ed25519 signatures: a text, an empty line, and one
 * line `— <key name> <base64>` per signature. Used for checkpoints and witnesses.
 */
import { createHash } from 'node:crypto'
import { AkashiError } from '../foundation/index.ts'
import { PUBLIC_KEY_BYTES, verifyEd25519 } from './ed25519.ts'
import { ML_DSA_PUBLIC_KEY_BYTES } from './ml-dsa.ts'
import type { Keyring } from './types.ts'

const ED25519_TYPE = 0x01
const ML_DSA_TYPE = 0x06
const KEY_HASH_BYTES = 4
/** The specification asks for at least 16 signatures and for a limit; these two are those of Go's sumdb/note. */
const MAX_SIGNATURES = 100
const MAX_NOTE_BYTES = 1_000_000
const SIGNATURE_PREFIX = '— '
const FORBIDDEN_IN_NAME = /[\p{White_Space}+]/u
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what the specification forbids
const CONTROL = /[\u0000-\u0009\u000b-\u001f]/

export interface NoteSignature {
  readonly name: string
  /** Key hash, 4 bytes. */
  readonly hash: Uint8Array
  readonly signature: Uint8Array
}

export interface Note {
  /** Ends with a newline. */
  readonly text: string
  readonly signatures: readonly NoteSignature[]
}

/** A trusted key: its name and raw public key, of Ed25519 (32 bytes) or, for a witness, of ML-DSA-44 (1,312 bytes). */
export interface VerifierKey {
  readonly name: string
  readonly publicKey: Uint8Array
}

/**
 * The first 4 bytes of SHA-256(name || 0x0A || type || public key): an identifier, not a commitment.
 *
 * @param type signature type; 0x01 is Ed25519 over the text
 */
export function keyHash(key: VerifierKey, type = ED25519_TYPE): Uint8Array {
  const hash = createHash('sha256').update(`${key.name}\n`).update(Buffer.of(type)).update(key.publicKey)
  return hash.digest().subarray(0, KEY_HASH_BYTES)
}

/** `<name>+<hash in 8 lowercase hex digits>+<base64(type || public key)>`, as Go's sumdb/note writes it. */
export function formatVerifierKey(key: VerifierKey, type = ED25519_TYPE): string {
  assertName(key.name)
  if (key.publicKey.length !== publicKeyBytes(type))
    throw malformed('verifier key', `its public key is not ${publicKeyBytes(type)} bytes`)
  const encoded = Buffer.concat([Buffer.of(type), key.publicKey]).toString('base64')
  return `${key.name}+${Buffer.from(keyHash(key, type)).toString('hex')}+${encoded}`
}

/** @param types signature types that are accepted; default that of a log */
export function parseVerifierKey(text: string, ...types: number[]): VerifierKey {
  const [, name = '', hash = '', encoded = ''] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/s.exec(text) ?? []
  const bytes = decodeBase64(encoded)
  if (bytes === null) throw malformed('verifier key', 'it is not name+hash+base64')
  const [type = 0] = bytes
  if (!(types.length === 0 ? [ED25519_TYPE] : types).includes(type)) {
    throw malformed('verifier key', 'it has another type than requested')
  }
  if (bytes.length !== 1 + publicKeyBytes(type)) throw malformed('verifier key', 'its length is wrong')
  const key = { name, publicKey: bytes.subarray(1) }
  assertName(name)
  if (!Buffer.from(keyHash(key, type)).equals(Buffer.from(hash, 'hex'))) {
    throw malformed('verifier key', 'its hash does not match its name and key')
  }
  return key
}

function publicKeyBytes(type: number): number {
  return type === ML_DSA_TYPE ? ML_DSA_PUBLIC_KEY_BYTES : PUBLIC_KEY_BYTES
}

/** Inverse of {@link parseNote}; `invalid_input` for values that a note cannot contain. */
export function formatNote(note: Note): string {
  assertText(note.text)
  if (!note.text.endsWith('\n')) throw malformed('note', 'its text does not end with a newline')
  const count = note.signatures.length
  if (count === 0 || count > MAX_SIGNATURES) throw malformed('note', `it has ${count} signatures`)
  const lines = note.signatures.map(({ name, hash, signature }) => {
    assertName(name)
    if (hash.length !== KEY_HASH_BYTES || signature.length === 0)
      throw malformed('note', 'a signature is empty')
    return `${SIGNATURE_PREFIX}${name} ${Buffer.concat([hash, signature]).toString('base64')}\n`
  })
  const whole = `${note.text}\n${lines.join('')}`
  if (Buffer.byteLength(whole) > MAX_NOTE_BYTES) throw malformed('note', `it is over ${MAX_NOTE_BYTES} bytes`)
  return whole
}

/** Parses a note without verifying it: do not trust the text before {@link verifyNote} returns. */
export function parseNote(note: string | Uint8Array): Note {
  const whole = decodeUtf8(note)
  const split = whole.lastIndexOf('\n\n')
  const lines = whole.slice(split + 2).split('\n')
  if (split < 0 || lines.pop() !== '' || lines.length === 0)
    throw malformed('note', 'it has no signature lines')
  if (lines.length > MAX_SIGNATURES) throw malformed('note', `it has over ${MAX_SIGNATURES} signatures`)
  return { text: whole.slice(0, split + 1), signatures: lines.map(parseSignature) }
}

/** The signature of one key over a text that ends with a newline, for a note with several signatures. */
export async function signText(
  keyring: Pick<Keyring, 'sign' | 'publicKey'>,
  keyId: string,
  name: string,
  text: string,
): Promise<NoteSignature> {
  assertText(text)
  if (!text.endsWith('\n')) throw malformed('note', 'its text does not end with a newline')
  assertName(name)
  const publicKey = await keyring.publicKey(keyId)
  return { name, hash: keyHash({ name, publicKey }), signature: await keyring.sign(keyId, Buffer.from(text)) }
}

/** A note with one signature. */
export async function signNote(
  keyring: Pick<Keyring, 'sign' | 'publicKey'>,
  keyId: string,
  name: string,
  text: string,
): Promise<string> {
  return formatNote({ text, signatures: [await signText(keyring, keyId, name, text)] })
}

/**
 * Returns the text and the keys that signed it (at least one). Ignores signatures of unknown keys. `integrity`
 * if no known key signed, or if any signature of a known key is wrong; `invalid_input` if it is not a note.
 */
export function verifyNote(
  note: string | Uint8Array,
  keys: readonly VerifierKey[],
): { readonly text: string; readonly signers: readonly VerifierKey[] } {
  const { text, signatures } = parseNote(note)
  const known = new Map(keys.map((key) => [identity(key.name, keyHash(key)), key]))
  if (known.size !== keys.length)
    throw malformed('list of verifier keys', 'two of them have the same name and hash')
  const message = Buffer.from(text)
  const signers = new Set<VerifierKey>()
  for (const { name, hash, signature } of signatures) {
    const key = known.get(identity(name, hash))
    if (key === undefined) continue
    if (!verifyEd25519(key.publicKey, message, signature)) {
      throw new AkashiError('integrity', 'a signature of the note is wrong', { detail: { name } })
    }
    signers.add(key)
  }
  if (signers.size > 0) return { text, signers: [...signers] }
  throw new AkashiError('integrity', 'the note is not signed by any known key', {
    hint: 'check that the given verifier keys are those of its signers',
    detail: { names: signatures.map(({ name }) => name) },
  })
}

function parseSignature(line: string): NoteSignature {
  const [name = '', encoded = '', ...more] = line.slice(SIGNATURE_PREFIX.length).split(' ')
  const bytes = decodeBase64(encoded)
  const whole = line.startsWith(SIGNATURE_PREFIX) && more.length === 0
  if (!whole || bytes === null || bytes.length <= KEY_HASH_BYTES)
    throw malformed('note', 'a signature line is broken')
  assertName(name)
  return { name, hash: bytes.subarray(0, KEY_HASH_BYTES), signature: bytes.subarray(KEY_HASH_BYTES) }
}

function decodeUtf8(note: string | Uint8Array): string {
  const tooLong = (typeof note === 'string' ? Buffer.byteLength(note) : note.length) > MAX_NOTE_BYTES
  if (tooLong) throw malformed('note', `it is over ${MAX_NOTE_BYTES} bytes`)
  const whole = typeof note === 'string' ? note : decodeBytes(note)
  assertText(whole)
  return whole
}

function decodeBytes(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw malformed('note', 'it is not UTF-8')
  }
}

/** Standard base64 with padding, canonical encoding only, so that a note has one spelling. */
function decodeBase64(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64')
  return text !== '' && bytes.toString('base64') === text ? bytes : null
}

function assertText(text: string): void {
  if (!text.isWellFormed()) throw malformed('note', 'it is not well-formed Unicode')
  if (CONTROL.test(text)) throw malformed('note', 'it has a control character')
}

function assertName(name: string): void {
  assertText(name)
  if (name === '' || FORBIDDEN_IN_NAME.test(name))
    throw malformed('key name', 'it is empty, or has a space or plus')
}

function identity(name: string, hash: Uint8Array): string {
  return `${name}+${Buffer.from(hash).toString('hex')}`
}

function malformed(what: string, why: string): AkashiError {
  return new AkashiError('invalid_input', `not a valid ${what}: ${why}`)
}
