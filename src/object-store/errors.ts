import { AkashiError, errno } from '../foundation/index.ts'

export function throwIfCancelled(signal: AbortSignal | undefined, key: string): void {
  if (signal?.aborted) throw cancelled(key)
}

export function cancelled(key: string): AkashiError {
  return new AkashiError('cancelled', 'the caller cancelled the operation on an object', { detail: { key } })
}

export function taken(key: string): AkashiError {
  return new AkashiError('already_exists', 'an object with this key already exists', { detail: { key } })
}

export function isFolder(key: string): AkashiError {
  return new AkashiError('conflict', 'a key cannot be both an object and a folder of other objects', {
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
  return new AkashiError('integrity', 'the body does not match the given SHA-256', {
    hint: 'nothing was stored; read the source again',
    detail: { key, expected, actual },
  })
}

export function cannotRetain(location: string): AkashiError {
  return new AkashiError('unsupported', `${location} does not support object lock`, {
    hint: 'use an S3 bucket with object lock and add objectLock=governance or objectLock=compliance to the URL',
  })
}

/** Converts a failed system call to an AkashiError; returns other errors unchanged. */
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
