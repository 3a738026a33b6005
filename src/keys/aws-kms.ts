/**
 * AWS KMS wraps the keys of the service, each made by GenerateDataKey and opened by Decrypt, with what the
 * key is as encryption context: KMS authenticates it, and CloudTrail shows it. The wrapped keys, and those of
 * persons, which the `wrapping` key wraps, are files of a folder: without KMS they open nothing. Each key of
 * the service is decrypted once a process, not once a use.
 *
 * Rights needed on the KMS key: kms:GenerateDataKey, kms:Decrypt. Credentials are the SDK's own chain.
 */
import { resolve } from 'node:path'
import { DecryptCommand, GenerateDataKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import { AkashiError } from '../foundation/index.ts'
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
    throw new AkashiError('invalid_config', 'a keyring of AWS KMS has no passphrase', {
      hint: 'leave KEYS_PASSPHRASE out',
    })
  }
  const { keyId, root, region, endpoint } = parseKmsUrl(url)
  const client = new KMSClient({
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
    maxAttempts: ATTEMPTS,
    requestHandler: { connectionTimeout: CONNECTION_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS },
  })
  try {
    return await openFolder(root, `awskms:${keyId}`, options, async () => {
      const { kind } = await keyringProtection(root, async () => ({ kind: 'aws-kms' }))
      if (kind === 'aws-kms') return new AwsKms(client, keyId)
      throw new AkashiError('invalid_config', 'the folder holds a keyring that AWS KMS does not wrap', {
        hint: 'name it as file:…, or begin with an empty folder',
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
    if (made.Plaintext === undefined || made.CiphertextBlob === undefined) throw noAnswer()
    return { secret: made.Plaintext, wrapped: made.CiphertextBlob }
  }

  async unwrap(wrapped: Uint8Array, about: KeyFacts): Promise<Uint8Array> {
    const opened = await this.#ask(about, () =>
      this.#client.send(
        new DecryptCommand({
          // Named, so that a blob of somebody else's key is refused.
          KeyId: this.#keyId,
          CiphertextBlob: wrapped,
          EncryptionContext: contextOf(about),
        }),
      ),
    )
    if (opened.Plaintext === undefined) throw noAnswer()
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
      return new AkashiError('forbidden', 'AWS KMS refuses these credentials', {
        hint: 'allow kms:GenerateDataKey and kms:Decrypt on the key to the role of this process',
        detail: { reason: name },
      })
    case 'NotFoundException':
    case 'InvalidKeyUsageException':
      return new AkashiError('invalid_config', 'AWS KMS has no such key for encryption', {
        hint: 'check key, alias and region of KEYS_URL',
        detail: { reason: name },
      })
    case 'DisabledException':
    case 'KMSInvalidStateException':
      return new AkashiError('unavailable', 'the KMS key is disabled or waits for its deletion', {
        hint: 'enable it, or cancel its deletion: without it no key can be opened',
        detail: { reason: name },
      })
    default:
      return new AkashiError('unavailable', 'AWS KMS does not answer', {
        hint: 'check network, region and endpoint',
        detail: { reason: name },
        cause: error,
      })
  }
}

function noAnswer(): AkashiError {
  return new AkashiError('unavailable', 'AWS KMS answered without a key')
}

function parseKmsUrl(url: string) {
  const parsed = URL.parse(url)
  const keyId = decodeURIComponent(parsed?.pathname ?? '')
  const folder = parsed?.searchParams.get('folder') ?? ''
  const unknown = [...(parsed?.searchParams.keys() ?? [])].some(
    (name) => !['folder', 'region', 'endpoint'].includes(name),
  )
  if (parsed === null || !/^[\w:/-]{1,2048}$/.test(keyId) || keyId.startsWith('/') || unknown) {
    throw new AkashiError('invalid_config', 'the keyring of AWS KMS is not named as it has to be', { hint })
  }
  if (!folder.startsWith('/')) {
    throw new AkashiError('invalid_config', 'the keyring of AWS KMS names no absolute folder', { hint })
  }
  return {
    keyId,
    root: resolve(folder),
    region: parsed.searchParams.get('region') ?? undefined,
    endpoint: parsed.searchParams.get('endpoint') ?? undefined,
  }
}
