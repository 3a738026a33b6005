/**
 * The certificate of an erasure: what became unreadable, and what remains and until when. A signed note whose text is
 * a title line and one JSON document, verifiable with the public key alone.
 */
import { z } from 'zod'
import { AkashiError, jsonOrNull } from '../../foundation/index.ts'
import { formatVerifierKey, type Keyring, parseVerifierKey, signNote, verifyNote } from '../../keys/index.ts'

const SIGNER = 'akashi-erasure'
const TITLE = 'akashi erasure certificate v1'

const place = z.object({
  schema: z.string(),
  table: z.string(),
  column: z.string(),
  form: z.enum(['encrypted', 'index', 'masked', 'plain']),
  atErasure: z.enum(['shredded', 'cleared', 'deleted', 'replaced', 'kept']),
  until: z.string().nullable(),
  /** Number of values; null when not counted, since they stay. */
  values: z.number().nullable(),
})
/** The personal columns as in `akashi_keys.erasures.columns`. */
export const placesSchema = z.array(place)

const certificateSchema = z.strictObject({
  /** `akashi_auth.users.id` */
  person: z.string(),
  /** The key that was destroyed. */
  key: z.string(),
  requestedBy: z.string(),
  requestedAt: z.string(),
  destroyedAt: z.string(),
  reason: z.string(),
  /** Encrypted values: unreadable in tables, audit rows, archives, backups and every other copy. */
  unreadable: placesSchema,
  /** Plain values, indexes and masks: removed from the database, still readable in older copies. */
  removed: placesSchema,
  /** Plain values that stay, and until when. */
  remains: placesSchema,
  trail: z.strictObject({
    /** Audit rows in PostgreSQL about the person. Encrypted values in them are unreadable. */
    rows: z.number(),
    /** Destroyed salts: digests of the person in audit rows can no longer be compared with anything. */
    salts: z.number(),
  }),
  /** What older copies of the database still contain. */
  copies: z.string(),
})
export type ErasureCertificate = z.infer<typeof certificateSchema>

/** The text of `copies`, the same for every erasure. */
export const COPIES =
  'Backups and archives made before the erasure hold what is listed under removed, and the salts of digests, ' +
  'until their retention ends. What is listed under unreadable is unreadable in them too. A database ' +
  'that is restored from such a copy erases the person again when it starts, before it serves.'

export async function signCertificate(keyring: Keyring, certificate: ErasureCertificate): Promise<string> {
  const { id } = await keyring.ensure('report')
  return await signNote(keyring, id, SIGNER, `${TITLE}\n${JSON.stringify(certificate, null, 2)}\n`)
}

/** The verifier key of certificates, in the format of signed notes. */
export async function erasureVerifierKey(keyring: Keyring): Promise<string> {
  const { id } = await keyring.ensure('report')
  return formatVerifierKey({ name: SIGNER, publicKey: await keyring.publicKey(id) })
}

/**
 * The certificate, if one of the keys signed it; several, because a retired key stays valid for what it signed.
 *
 * @throws AkashiError integrity when none of the keys signed it or it was changed; invalid_input when the note is not
 *   a certificate
 */
export function checkErasureCertificate(note: string, verifierKeys: readonly string[]): ErasureCertificate {
  const { text } = verifyNote(
    note,
    verifierKeys.map((key) => parseVerifierKey(key)),
  )
  const [title, ...lines] = text.split('\n')
  const parsed = title === TITLE ? certificateSchema.safeParse(jsonOrNull(lines.join('\n'))) : undefined
  if (parsed?.success === true) return parsed.data
  throw new AkashiError('invalid_input', 'this note is not an erasure certificate')
}
