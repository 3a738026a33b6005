import { AkashiError } from '../foundation/index.ts'
import { openFilesystemStore } from './filesystem.ts'
import { type Swept, sweepFilesystemStore } from './filesystem-sweep.ts'
import type { ObjectStore } from './types.ts'

/**
 * Opens the store that a URL names, making its folder when there is none. `file:/absolute/folder` is
 * the only scheme so far; every other is refused with `unsupported`. The URL is never repeated in an
 * error: it may carry credentials.
 */
export async function openObjectStore(url: string): Promise<ObjectStore> {
  assertFileScheme(url)
  return openFilesystemStore(url)
}

/**
 * Removes what crashed puts left behind more than a day ago (temporary files, bytes that no key names).
 * Leftovers only cost space; safe at any time, beside any number of writers.
 */
export async function sweepObjectStore(url: string): Promise<Swept> {
  assertFileScheme(url)
  return sweepFilesystemStore(url)
}

function assertFileScheme(url: string): void {
  const scheme = /^[A-Za-z][A-Za-z0-9+.-]*:/.exec(url)?.[0].toLowerCase()
  if (scheme === 'file:') return
  if (scheme === undefined) {
    throw new AkashiError('invalid_config', 'the object store is not given as a URL', {
      hint: 'write it as file:/var/lib/akashi/objects',
    })
  }
  throw new AkashiError('unsupported', `there is no object store driver for ${scheme}`, {
    hint: 'accepted: file:',
  })
}
