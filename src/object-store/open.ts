import { AkashiError, type Secret } from '../foundation/index.ts'
import { openFilesystemStore } from './filesystem.ts'
import { type Swept, sweepFilesystemStore } from './filesystem-sweep.ts'
import type { ObjectStore } from './types.ts'

/** Credentials that the client library of a cloud does not find itself. */
export interface StoreCredentials {
  /** Connection string of an Azure storage account. */
  readonly azureConnectionString?: Secret
}

/**
 * Opens the store of a URL: `file:/absolute/folder`, created if missing, or a bucket as `s3://`, `gs://` or
 * `azblob://` (docs/object-stores.md), contacted on first use. Any other scheme is `unsupported`. Errors never
 * contain the URL: it may carry credentials. Cloud clients are imported on demand.
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
 * Removes leftovers of crashed puts older than a day (temporary files, unreferenced blobs). Leftovers only cost
 * space; safe at any time and with any number of writers. Does nothing for a bucket, whose lifecycle rules
 * remove unfinished uploads.
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
    throw new AkashiError('invalid_config', 'the object store is not a URL', {
      hint: 'write it as file:/var/lib/akashi/objects',
    })
  }
  throw new AkashiError('unsupported', `no object store driver for ${scheme}`, {
    hint: `accepted: ${SCHEMES.join(', ')}`,
  })
}
