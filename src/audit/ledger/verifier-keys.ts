import { AkashiError } from '../../foundation/index.ts'
import { type Keyring, type VerifierKey, verifyNote } from '../../keys/index.ts'

/** A key that signs, or signed, what a log publishes. */
export interface LogKey extends VerifierKey {
  readonly createdAt: Date
}

/**
 * The verifier keys of every checkpoint key in a keyring under a log's origin, oldest first: the last one signs now,
 * the others are valid for earlier epochs.
 */
export function verifierKeys(keyring: Keyring): (origin: string) => Promise<LogKey[]> {
  return async (origin) => {
    const keys = await keyring.list('checkpoint')
    const ordered = [
      ...keys.filter(({ state }) => state !== 'active'),
      ...keys.filter(({ state }) => state === 'active'),
    ]
    return await Promise.all(
      ordered.map(async ({ id, createdAt }) => ({
        name: origin,
        publicKey: await keyring.publicKey(id),
        createdAt,
      })),
    )
  }
}

/** Whether the key that signed a head was replaced: the log needs a new epoch under the new one. */
export async function isRekeyed(
  keyring: Keyring,
  { origin, note }: { readonly origin: string; readonly note: string | null },
): Promise<boolean> {
  if (note === null) return false
  const { id } = await keyring.ensure('checkpoint')
  return !verifiesAny(note, [{ name: origin, publicKey: await keyring.publicKey(id) }])
}

/** An epoch has one key. */
export function replacedKey({ log }: { readonly log: string }): AkashiError {
  return new AkashiError('conflict', `the signing key of log ${log} was replaced: it needs a new epoch`, {
    hint: 'the worker opens one when it publishes, within a minute; or run akashi keys rotate --purpose checkpoint',
  })
}

/** Whether one of the keys signed the note. */
export function verifiesAny(note: string, keys: readonly VerifierKey[]): boolean {
  try {
    verifyNote(note, keys)
    return true
  } catch (error) {
    if (error instanceof AkashiError) return false
    throw error
  }
}
