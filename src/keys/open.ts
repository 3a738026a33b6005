import { AkashiError } from '../foundation/index.ts'
import { type KeyringOptions, openFileKeyring } from './file-keyring.ts'
import type { Keyring } from './types.ts'

/**
 * Opens the keyring that a URL names, making it when there is none:
 *
 *   file:/absolute/folder
 *   awskms:KEY?folder=/absolute/folder&region=REGION   KEY: an id, ARN or alias/NAME
 *
 * Every other is refused with `unsupported`. The URL is never repeated in an error.
 */
export async function openKeyring(url: string, options: KeyringOptions = {}): Promise<Keyring> {
  const scheme = /^[A-Za-z][A-Za-z0-9+.-]*:/.exec(url)?.[0].toLowerCase()
  if (scheme === 'file:') return await openFileKeyring(url, options)
  if (scheme === 'awskms:') {
    // The SDK is large, and most keyrings are folders.
    const { openKmsKeyring } = await import('./aws-kms.ts')
    return await openKmsKeyring(url, options)
  }
  if (scheme === undefined) {
    throw new AkashiError('invalid_config', 'the keyring is not given as a URL', {
      hint: 'write it as file:/var/lib/akashi/keys',
    })
  }
  throw new AkashiError('unsupported', `there is no key service for ${scheme}`, {
    hint: 'accepted: file:, awskms:',
  })
}
