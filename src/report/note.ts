/** What is signed of a report: its month, its verdict and the digest of every file. */
import { createHash } from 'node:crypto'
import { AkashiError } from '../foundation/index.ts'
import { formatVerifierKey, type Keyring, parseVerifierKey, signNote, verifyNote } from '../keys/index.ts'
import type { ComplianceDocument, Verdict } from './document.ts'

/** Signer name; the key is the keyring's, of purpose `report`. */
const SIGNER = 'akashi.local/compliance-report'
const HEADER = 'akashi compliance report v1'

export interface ReportFile {
  /** Such as `report.ja.html`. */
  readonly name: string
  /** Lowercase hex. */
  readonly sha256: string
  readonly bytes: number
  /** Key in the object store. */
  readonly object: string
}

/** What a signed note says. */
export interface Signed {
  readonly id: string
  readonly month: string
  readonly verdict: Verdict
  readonly files: readonly Pick<ReportFile, 'name' | 'sha256' | 'bytes'>[]
  /** Verifier key of the signer. */
  readonly signer: string
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** The key that signs now, as a verifier key. */
export async function reportSigner(
  keyring: Keyring,
): Promise<{ readonly keyId: string; readonly key: string }> {
  const { id } = await keyring.ensure('report')
  return { keyId: id, key: formatVerifierKey({ name: SIGNER, publicKey: await keyring.publicKey(id) }) }
}

/** Every key that signed or signs reports. */
export async function reportVerifierKeys(keyring: Keyring): Promise<readonly string[]> {
  const keys = await keyring.list('report')
  return await Promise.all(
    keys.map(async ({ id }) => formatVerifierKey({ name: SIGNER, publicKey: await keyring.publicKey(id) })),
  )
}

export async function signReport(
  keyring: Keyring,
  keyId: string,
  { id, month, verdict }: Pick<ComplianceDocument, 'id' | 'month' | 'verdict'>,
  files: readonly ReportFile[],
): Promise<string> {
  const lines = [
    HEADER,
    `report ${id}`,
    `month ${month}`,
    `verdict ${verdict}`,
    ...files.map(({ name, sha256, bytes }) => `file ${name} ${sha256} ${bytes}`),
  ]
  return await signNote(keyring, keyId, SIGNER, `${lines.join('\n')}\n`)
}

/**
 * @param keys verifier keys, one of which must have signed
 * @throws integrity unless a key signed it; invalid_input if it is no note of a report
 */
export function readSigned(note: string | Uint8Array, keys: readonly string[]): Signed {
  const { text, signers } = verifyNote(
    note,
    keys.map((key) => parseVerifierKey(key)),
  )
  const [header, report, month, verdict, ...files] = text.trimEnd().split('\n')
  const verdicts: readonly Verdict[] = ['fulfilled', 'incomplete', 'not_fulfilled']
  const found = verdicts.find((one) => verdict === `verdict ${one}`)
  const [signer] = signers
  if (header !== HEADER || found === undefined || signer === undefined) {
    throw new AkashiError('invalid_input', 'the note is not one of a compliance report')
  }
  return {
    id: report?.replace('report ', '') ?? '',
    month: month?.replace('month ', '') ?? '',
    verdict: found,
    files: files.map((line) => {
      const [, name = '', digest = '', bytes = ''] = line.split(' ')
      return { name, sha256: digest, bytes: Number(bytes) }
    }),
    signer: formatVerifierKey(signer),
  }
}
