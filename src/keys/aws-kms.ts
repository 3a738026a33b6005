/**
 * AWS KMS wraps the service keys (GenerateDataKey, Decrypt). The description of a key is its encryption context,
 * which KMS authenticates and CloudTrail shows. Wrapped service keys, and the person keys wrapped by the
 * `wrapping` key, are files in a folder and useless without KMS. A process decrypts each service key once.
 *
 * Permissions on the KMS key: kms:GenerateDataKey, kms:Decrypt. Uses the SDK's credential chain.
 */
import { resolve } from 'node:path'
import { DecryptCommand, GenerateDataKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import { AkashiError, given } from '../foundation/index.ts'
import { type KeyringOptions, openFolder } from './file-keyring.ts'
import { SECRET_BYTES } from './key.ts'
import { damagedKey } from './key-file.ts'
import type { KeyFacts, KeyService, MadeSecret } from './key-service.ts'
import { keyringProtection } from './keyring-file.ts'
import type { Keyring } from './types.ts'

const CONNECTION_TIMEOUT_MS = 3_000
const REQUEST_TIMEOUT_MS = 5_000
const ATTEMPTS = 4

const hint = 'write it as awskms:alias/NAME?folder=/var/lib/akashi/keys&region=ap-northeast-1'

export async function openKmsKeyring(url: string, options: KeyringOptions): Promise<Keyring> {
  if (options.passphrase !== undefined) {
    throw new AkashiError('invalid_config', 'an AWS KMS keyring has no passphrase', {
      hint: 'leave KEYS_PASSPHRASE out',
    })
  }
  const { keyId, root, region, endpoint } = parseKmsUrl(url)
  const client = new KMSClient({
    ...given({ region, endpoint }),
    maxAttempts: ATTEMPTS,
    requestHandler: { connectionTimeout: CONNECTION_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS },
  })
  try {
    return await openFolder(root, `awskms:${keyId}`, options, async () => {
      const { kind } = await keyringProtection(root, async () => ({ kind: 'aws-kms' }))
      if (kind === 'aws-kms') return new AwsKms(client, keyId)
      throw new AkashiError('invalid_config', 'the keyring in this folder is not wrapped by AWS KMS', {
        hint: 'open it as file:…, or use an empty folder',
      })
    })
  } catch (error) {
    client.destroy()
    throw error
  }
}

class AwsKms implements KeyService {
  readonly #client: KMSClient
  readonly #keyId: string

  constructor(client: KMSClient, keyId: string) {
    this.#client = client
    this.#keyId = keyId
  }

  async make(about: KeyFacts): Promise<MadeSecret> {
    const made = await this.#ask(about, () =>
      this.#client.send(
        new GenerateDataKeyCommand({
          KeyId: this.#keyId,
          NumberOfBytes: SECRET_BYTES,
          EncryptionContext: contextOf(about),
        }),
      ),
    )
    if (made.Plaintext === undefined || made.CiphertextBlob === undefined) throw noKeyReturned()
    return { secret: made.Plaintext, wrapped: made.CiphertextBlob }
  }

  async unwrap(wrapped: Uint8Array, about: KeyFacts): Promise<Uint8Array> {
    const opened = await this.#ask(about, () =>
      this.#client.send(
        new DecryptCommand({
          // Named, so that a blob wrapped by any other KMS key is refused.
          KeyId: this.#keyId,
          CiphertextBlob: wrapped,
          EncryptionContext: contextOf(about),
        }),
      ),
    )
    if (opened.Plaintext === undefined) throw noKeyReturned()
    return opened.Plaintext
  }

  close(): void {
    this.#client.destroy()
  }

  async #ask<T>(about: KeyFacts, ask: () => Promise<T>): Promise<T> {
    try {
      return await ask()
    } catch (error) {
      throw kmsError(error, about.id)
    }
  }
}

function contextOf({ id, purpose, algorithm, createdAt }: KeyFacts): Record<string, string> {
  return {
    'akashi:key': id,
    'akashi:purpose': purpose,
    'akashi:algorithm': algorithm,
    'akashi:created': createdAt.toISOString(),
  }
}

/** https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html#API_Decrypt_Errors */
function kmsError(error: unknown, id: string): AkashiError {
  const name = error instanceof Error ? error.name : ''
  switch (name) {
    case 'InvalidCiphertextException':
    case 'IncorrectKeyException':
      return damagedKey(id)
    case 'AccessDeniedException':
    case 'CredentialsProviderError':
    case 'UnrecognizedClientException':
      return new AkashiError('forbidden', 'AWS KMS rejected the credentials', {
        hint: 'grant this process kms:GenerateDataKey and kms:Decrypt on the key',
        detail: { reason: name },
      })
    case 'NotFoundException':
    case 'InvalidKeyUsageException':
      return new AkashiError('invalid_config', 'AWS KMS has no such encryption key', {
        hint: 'check the key, alias and region in KEYS_URL',
        detail: { reason: name },
      })
    case 'DisabledException':
    case 'KMSInvalidStateException':
      return new AkashiError('unavailable', 'the KMS key is disabled or pending deletion', {
        hint: 'enable it or cancel its deletion; without it no key can be decrypted',
        detail: { reason: name },
      })
    default:
      return new AkashiError('unavailable', 'AWS KMS did not respond', {
        hint: 'check the network, region and endpoint',
        detail: { reason: name },
        cause: error,
      })
  }
}

function noKeyReturned(): AkashiError {
  return new AkashiError('unavailable', 'AWS KMS returned no key')
}

function parseKmsUrl(url: string) {
  const parsed = URL.parse(url)
  const keyId = decodeURIComponent(parsed?.pathname ?? '')
  const folder = parsed?.searchParams.get('folder') ?? ''
  const unknown = [...(parsed?.searchParams.keys() ?? [])].some(
    (name) => !['folder', 'region', 'endpoint'].includes(name),
  )
  if (parsed === null || !/^[\w:/-]{1,2048}$/.test(keyId) || keyId.startsWith('/') || unknown) {
    throw new AkashiError('invalid_config', 'the AWS KMS keyring URL is not valid', { hint })
  }
  if (!folder.startsWith('/')) {
    throw new AkashiError('invalid_config', 'the folder of the AWS KMS keyring is not an absolute path', {
      hint,
    })
  }
  return {
    keyId,
    root: resolve(folder),
    region: parsed.searchParams.get('region') ?? undefined,
    endpoint: parsed.searchParams.get('endpoint') ?? undefined,
  }
}
