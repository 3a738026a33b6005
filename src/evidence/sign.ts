/** The signed note about an evidence document: its SHA-256. */
import { createHash } from 'node:crypto'
import { EVIDENCE_NOTE, EVIDENCE_SIGNER } from '@akashi/client/evidence'
import { formatVerifierKey, type Keyring, signNote } from '../keys/index.ts'

/** The key that signs now, one of purpose `report`, as a verifier key. */
export async function evidenceSigner(
  keyring: Keyring,
): Promise<{ readonly keyId: string; readonly key: string }> {
  const { id } = await keyring.ensure('report')
  return {
    keyId: id,
    key: formatVerifierKey({ name: EVIDENCE_SIGNER, publicKey: await keyring.publicKey(id) }),
  }
}

/** Every key that signed or signs evidence. */
export async function evidenceVerifierKeys(
  keyring: Keyring,
): Promise<readonly { readonly key: string; readonly active: boolean; readonly createdAt: Date }[]> {
  const keys = await keyring.list('report')
  return await Promise.all(
    keys.map(async ({ id, state, createdAt }) => ({
      key: formatVerifierKey({ name: EVIDENCE_SIGNER, publicKey: await keyring.publicKey(id) }),
      active: state === 'active',
      createdAt,
    })),
  )
}

export async function signDocument(keyring: Keyring, keyId: string, document: string): Promise<string> {
  const digest = createHash('sha256').update(document).digest('hex')
  return await signNote(keyring, keyId, EVIDENCE_SIGNER, `${EVIDENCE_NOTE}\n${digest}\n`)
}
