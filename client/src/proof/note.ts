/** Signed notes (https://c2sp.org/signed-note), and the checkpoint in one. */
import { type Bytes, fromBase64, isSame, sha256, toBase64, toHex, utf8 } from './bytes.ts'

/** What a key signs, by the first byte of its verifier key; a cosignature is that of a witness. */
const kinds = {
  1: { kind: 'log', algorithm: 'Ed25519', keyBytes: 32 },
  4: { kind: 'cosignature', algorithm: 'Ed25519', keyBytes: 32 },
  6: { kind: 'cosignature', algorithm: 'ML-DSA-44', keyBytes: 1_312 },
} as const
const KEY_HASH_BYTES = 4
const MAX_SIGNATURES = 100
const MAX_NOTE_BYTES = 1_000_000
const PREFIX = '— '
const FORBIDDEN_IN_NAME = /[\p{White_Space}+]/u
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what the specification forbids
const CONTROL = /[\u0000-\u0009\u000b-\u001f]/

export interface VerifierKey {
  readonly name: string
  readonly kind: 'log' | 'cosignature'
  readonly algorithm: 'Ed25519' | 'ML-DSA-44'
  readonly publicKey: Bytes
  /** Of the key, by which signatures name it. */
  readonly hash: Bytes
}

export interface Signature {
  readonly name: string
  readonly hash: Bytes
  readonly signature: Bytes
}

export interface Note {
  /** Ends with a newline. */
  readonly text: string
  readonly signatures: readonly Signature[]
}

/** `<name>+<hash>+<base64>` as Akashi and its witnesses print it; null for anything else. */
async function parseVerifierKey(text: string): Promise<VerifierKey | null> {
  const [, name = '', given = '', encoded = ''] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/s.exec(text.trim()) ?? []
  const bytes = fromBase64(encoded)
  const form = Object.entries(kinds).find(([type]) => bytes?.[0] === Number(type))?.[1]
  if (bytes === null || form === undefined || bytes.length !== 1 + form.keyBytes) return null
  if (name === '' || FORBIDDEN_IN_NAME.test(name)) return null
  const publicKey = bytes.slice(1)
  const hash = (await sha256(utf8(`${name}\n`), bytes)).slice(0, KEY_HASH_BYTES)
  const { kind, algorithm } = form
  return toHex(hash) === given ? { name, kind, algorithm, publicKey, hash } : null
}

/** Every verifier key in a text: one key, several lines, or a whole trust policy. Anything else in it is ignored. */
export async function keysIn(text: string): Promise<readonly VerifierKey[]> {
  const words = text.split(/\s+/).filter((word) => word.includes('+'))
  const keys = await Promise.all(words.map(parseVerifierKey))
  return keys.filter((key) => key !== null)
}

/** Null for what is not a note. Its text is to be trusted once a signature of it is. */
export function parseNote(whole: string): Note | null {
  if (!whole.isWellFormed() || CONTROL.test(whole) || utf8(whole).length > MAX_NOTE_BYTES) return null
  const split = whole.lastIndexOf('\n\n')
  const lines = whole.slice(split + 2).split('\n')
  if (split < 0 || lines.pop() !== '' || lines.length === 0 || lines.length > MAX_SIGNATURES) return null
  const signatures = lines.map(signatureIn)
  return signatures.includes(null)
    ? null
    : { text: whole.slice(0, split + 1), signatures: signatures.filter((each) => each !== null) }
}

function signatureIn(line: string): Signature | null {
  const [name = '', encoded = '', ...more] = line.slice(PREFIX.length).split(' ')
  const bytes = fromBase64(encoded)
  if (!line.startsWith(PREFIX) || more.length > 0 || bytes === null || bytes.length <= KEY_HASH_BYTES)
    return null
  if (name === '' || FORBIDDEN_IN_NAME.test(name)) return null
  return { name, hash: bytes.slice(0, KEY_HASH_BYTES), signature: bytes.slice(KEY_HASH_BYTES) }
}

/**
 * The key of a log that signed the note; null when none of them did, or a signature that claims to be theirs is wrong.
 *
 * @throws Unsupported where the platform has no Ed25519
 */
export async function signerOf(note: Note, keys: readonly VerifierKey[]): Promise<VerifierKey | null> {
  let signer: VerifierKey | null = null
  for (const { name, hash, signature } of note.signatures) {
    const key = keys.find((each) => each.kind === 'log' && each.name === name && isSame(each.hash, hash))
    if (key === undefined) continue
    if (!(await isSigned(key, signature, utf8(note.text)))) return null
    signer = key
  }
  return signer
}

/** The platform's cryptography lacks an algorithm, so that nothing is known of the signature. */
export class Unsupported extends Error {
  override readonly name = 'Unsupported'
}

export async function isSigned(
  { algorithm, publicKey }: VerifierKey,
  signature: Bytes,
  message: Bytes,
): Promise<boolean> {
  // What the algorithm added later calls this form of a key.
  const form = algorithm === 'Ed25519' ? 'raw' : 'raw-public'
  try {
    const key = await crypto.subtle.importKey(form as 'raw', publicKey, algorithm, false, ['verify'])
    return await crypto.subtle.verify(algorithm, key, signature, message)
  } catch (cause) {
    // A platform that does not even know the form says TypeError; a key has been measured already.
    throw new Unsupported(`this platform cannot check ${algorithm} signatures`, { cause })
  }
}

export interface Checkpoint {
  readonly origin: string
  readonly size: bigint
  readonly root: Bytes
}

/** The checkpoint that a note's text is; null for any other. */
export function checkpointIn(text: string): Checkpoint | null {
  const [, origin, size, root] = /^([^\n]+)\n(0|[1-9][0-9]{0,18})\n([A-Za-z0-9+/]{43}=)\n/.exec(text) ?? []
  if (origin === undefined || size === undefined || root === undefined) return null
  const bytes = fromBase64(root)
  return bytes === null || toBase64(bytes) !== root ? null : { origin, size: BigInt(size), root: bytes }
}
