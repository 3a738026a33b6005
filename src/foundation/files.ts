/** Folders and durability, shared by the contexts that keep files (object store, keyring). */
import { open } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { AkashiError } from './errors.ts'

/** The POSIX code of a failed system call, e.g. `ENOENT`; undefined for every other error. */
export function errno(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/**
 * The absolute folder of a `file:` URL (RFC 8089). `invalid_config` when it is relative, names a host,
 * or has a query or fragment: each would silently select a different folder.
 */
export function folderOfFileUrl(url: string): string {
  const parsed = URL.parse(url)
  const plain = /^file:\/(?!\/)|^file:\/\/(localhost)?\//i.test(url)
  if (parsed?.protocol === 'file:' && plain && parsed.search === '' && parsed.hash === '') {
    try {
      return fileURLToPath(parsed)
    } catch (cause) {
      throw new AkashiError('invalid_config', 'the file: URL does not name a folder', { cause })
    }
  }
  throw new AkashiError('invalid_config', 'the file: URL does not name an absolute folder', {
    hint: 'write it as file:/var/lib/akashi/…, with ? and # in the path percent-encoded',
  })
}

/** Makes the entries of a folder durable: fsync of a file does not cover its directory entry. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
