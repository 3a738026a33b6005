import { AkashiError } from '../foundation/index.ts'
import { type KeyringOptions, openFileKeyring } from './file-keyring.ts'
import type { Keyring } from './types.ts'

/**
 * Opens the keyring of a URL, creating it if missing:
 *
 *   file:/absolute/folder
 *   awskms:KEY?folder=/absolute/folder&region=REGION   KEY: an id, ARN or alias/NAME
 *
 * Any other scheme is `unsupported`. Errors never contain the URL.
 */
export async function openKeyring(url: string, options: KeyringOptions = {}): Promise<Keyring> {
  const scheme = /^[A-Za-z][A-Za-z0-9+.-]*:/.exec(url)?.[0].toLowerCase()
  if (scheme === 'file:') return await openFileKeyring(url, options)
  if (scheme === 'awskms:') {
    // Imported on demand: the SDK is large.
    const { openKmsKeyring } = await import('./aws-kms.ts')
    return await openKmsKeyring(url, options)
  }
  if (scheme === undefined) {
    throw new AkashiError('invalid_config', 'the keyring is not a URL', {
      hint: 'write it as file:/var/lib/akashi/keys',
    })
  }
  throw new AkashiError('unsupported', `no key service for ${scheme}`, {
    hint: 'accepted: file:, awskms:',
  })
}
