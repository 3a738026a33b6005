import { AkashiError, type Secret } from '../foundation/index.ts'
import { openFilesystemStore } from './filesystem.ts'
import { type Swept, sweepFilesystemStore } from './filesystem-sweep.ts'
import type { ObjectStore } from './types.ts'

/** Credentials that a cloud's own client does not find by itself. */
export interface StoreCredentials {
  /** Connection string of an Azure storage account. */
  readonly azureConnectionString?: Secret
}

/**
 * Opens the store that a URL names: `file:/absolute/folder`, which is made when there is none, or a bucket as
 * `s3://`, `gs://` or `azblob://` (docs/object-stores.md), which is first asked when it is used. Any other
 * scheme is `unsupported`. The URL is never repeated in an error: it may carry credentials. The client of a
 * cloud is imported only when its scheme is.
 */
export async function openObjectStore(url: string, credentials: StoreCredentials = {}): Promise<ObjectStore> {
  switch (schemeOf(url)) {
    case 'file:':
      return openFilesystemStore(url)
    case 's3:':
      return (await import('./s3.ts')).openS3Store(url)
    case 'gs:':
      return (await import('./gcs.ts')).openGcsStore(url)
    case 'azblob:':
      return (await import('./azure.ts')).openAzureStore(url, credentials.azureConnectionString)
  }
}

/**
 * Removes what crashed puts left behind more than a day ago (temporary files, bytes that no key names).
 * Leftovers only cost space; safe at any time, beside any number of writers. In a bucket it is the rules of
 * the bucket that take unfinished uploads away, and nothing is done.
 */
export async function sweepObjectStore(url: string): Promise<Swept> {
  return schemeOf(url) === 'file:' ? sweepFilesystemStore(url) : { files: 0, bytes: 0 }
}

const SCHEMES = ['file:', 's3:', 'gs:', 'azblob:'] as const

function schemeOf(url: string): (typeof SCHEMES)[number] {
  const scheme = /^[A-Za-z][A-Za-z0-9+.-]*:/.exec(url)?.[0].toLowerCase()
  const known = SCHEMES.find((name) => name === scheme)
  if (known !== undefined) return known
  if (scheme === undefined) {
    throw new AkashiError('invalid_config', 'the object store is not given as a URL', {
      hint: 'write it as file:/var/lib/akashi/objects',
    })
  }
  throw new AkashiError('unsupported', `there is no object store driver for ${scheme}`, {
    hint: `accepted: ${SCHEMES.join(', ')}`,
  })
}
