import { AkashiError, errno } from '../foundation/index.ts'

export function throwIfCancelled(signal: AbortSignal | undefined, key: string): void {
  if (signal?.aborted) throw cancelled(key)
}

export function cancelled(key: string): AkashiError {
  return new AkashiError('cancelled', 'the caller cancelled the work on an object', { detail: { key } })
}

export function taken(key: string): AkashiError {
  return new AkashiError('already_exists', 'there is an object under this key already', { detail: { key } })
}

export function isFolder(key: string): AkashiError {
  return new AkashiError('conflict', 'a key cannot be an object and the folder of another object', {
    detail: { key },
  })
}

export function damaged(key: string, what: string): AkashiError {
  return new AkashiError('integrity', `the stored object ${what}`, {
    hint: 'restore this object from a replica or a backup of the store',
    detail: { key },
  })
}

export function wrongDigest(key: string, expected: string, actual: string): AkashiError {
  return new AkashiError('integrity', 'the bytes to put do not match the SHA-256 given for them', {
    hint: 'nothing was stored; read the source again',
    detail: { key, expected, actual },
  })
}

export function cannotRetain(location: string): AkashiError {
  return new AkashiError('unsupported', `${location} cannot keep an object from being deleted`, {
    hint: 'in a bucket of S3 with object lock, add objectLock=governance or objectLock=compliance to the URL',
  })
}

/** Turns a failed system call into an error of the catalogue; leaves every other error as it is. */
export function asStoreError(error: unknown, key?: string): Error {
  const code = errno(error)
  if (error instanceof Error && (error instanceof AkashiError || code === undefined)) return error
  const options = { cause: error, detail: key === undefined ? { code } : { code, key } }
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new AkashiError('unavailable', 'the object store is full', {
      ...options,
      hint: 'free space on its file system, then try again',
    })
  }
  return new AkashiError('unavailable', `the object store cannot be used (${code ?? 'unknown error'})`, {
    ...options,
    hint: 'its folder must be on a file system with symbolic links, readable and writable by this process',
  })
}
