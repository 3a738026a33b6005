/** `keyring.json`: whether, and how, a passphrase wraps the keys beside it. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { AkashiError } from '../foundation/index.ts'
import { newProtection, type Protection, protection, unlock, type Wrapping } from './passphrase.ts'
import { readPrivateFile, writeIfAbsent } from './private-files.ts'

const keyringFile = z.strictObject({ version: z.literal(1), protection })

/** Makes the file when the keyring is new; null when no passphrase wraps its keys. */
export async function openProtection(root: string, passphrase: string | undefined): Promise<Wrapping | null> {
  if (passphrase === '') {
    throw new AkashiError('invalid_config', 'the passphrase of the keyring is empty', {
      hint: 'give a passphrase, or none at all',
    })
  }
  const path = join(root, 'keyring.json')
  if ((await readPrivateFile(path)) === null) {
    const used = (await readdir(join(root, 'keys'))).length > 0
    // Asked again: another process may have made the keyring, and its first key, in between.
    if (used && (await readPrivateFile(path)) === null) throw damagedKeyring()
    const made = { version: 1, protection: await newProtection(passphrase) }
    await writeIfAbsent(join(root, 'temp'), path, `${JSON.stringify(made, null, 2)}\n`)
  }
  const text = await readPrivateFile(path)
  return unlock(parseKeyring(text ?? ''), passphrase)
}

function parseKeyring(text: string): Protection {
  try {
    return keyringFile.parse(JSON.parse(text)).protection
  } catch (cause) {
    throw damagedKeyring(cause)
  }
}

export function damagedKeyring(cause?: unknown): AkashiError {
  return new AkashiError(
    'integrity',
    'the keyring is damaged: a file beside its keys is missing or was changed',
    {
      hint: 'restore the keyring from its own backup; its keys are untouched',
      ...(cause === undefined ? {} : { cause }),
    },
  )
}
