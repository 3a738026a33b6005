/**
 * The certificate of an erasure: what became unreadable, and what remains and until when. A signed note
 * whose text is a title line and one JSON document, so that it checks with the public key alone.
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
  /** Values that there were; null where they were not counted, since they stay. */
  values: z.number().nullable(),
})
/** A personal column as `akashi_keys.erasures.columns` has it. */
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
  /** Encrypted values: unreadable in rows, trail, archives, backups and every other copy. */
  unreadable: placesSchema,
  /** Plain values, indexes and masks: gone from the database, unreadable in no copy. */
  removed: placesSchema,
  /** Plain values that stay, and until when. */
  remains: placesSchema,
  trail: z.strictObject({
    /** Rows of the trail in PostgreSQL that are about the person. Encrypted values in them are unreadable. */
    rows: z.number(),
    /** Salts destroyed: digests of the person in the trail can be compared with nothing any more. */
    salts: z.number(),
  }),
  /** What copies of the database from before still hold. */
  copies: z.string(),
})
export type ErasureCertificate = z.infer<typeof certificateSchema>

/** What `copies` says: the same for every erasure, since it follows from how data is kept. */
export const COPIES =
  'Backups and archives made before the erasure hold what is listed under removed, and the salts of digests, ' +
  'until they age out by their retention. What is listed under unreadable is unreadable in them too. A database ' +
  'that is restored from such a copy erases the person again when it starts, before it serves.'

export async function signCertificate(keyring: Keyring, certificate: ErasureCertificate): Promise<string> {
  const { id } = await keyring.ensure('report')
  return await signNote(keyring, id, SIGNER, `${TITLE}\n${JSON.stringify(certificate, null, 2)}\n`)
}

/** What an auditor checks certificates with: a verifier key as signed notes write it. */
export async function erasureVerifierKey(keyring: Keyring): Promise<string> {
  const { id } = await keyring.ensure('report')
  return formatVerifierKey({ name: SIGNER, publicKey: await keyring.publicKey(id) })
}

/**
 * The certificate, when one of the keys signed it. Several keys: a retired one stays good for what it signed.
 *
 * @throws AkashiError integrity when none did or it was changed; invalid_input when it is no certificate
 */
export function checkErasureCertificate(note: string, verifierKeys: readonly string[]): ErasureCertificate {
  const { text } = verifyNote(
    note,
    verifierKeys.map((key) => parseVerifierKey(key)),
  )
  const [title, ...lines] = text.split('\n')
  const parsed = title === TITLE ? certificateSchema.safeParse(jsonOrNull(lines.join('\n'))) : undefined
  if (parsed?.success === true) return parsed.data
  throw new AkashiError('invalid_input', 'this note is no certificate of an erasure')
}
