import { DatabaseSync } from 'node:sqlite'
import { AkashiError } from './errors.ts'

/**
 * An exclusive lock on a file that the kernel drops when this process ends, however it ends: there
 * is no stale lock to judge. Node offers no flock; SQLite's file locks (fcntl) are the ones it brings.
 * They also hold between containers that share the folder, where process numbers mean nothing.
 * @returns undefined when another process, or another caller in this one, holds it
 */
export function tryLock(file: string): { release(): void } | undefined {
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(file)
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
  } catch (cause) {
    database?.close()
    if (isBusy(cause)) return undefined
    throw new AkashiError('unavailable', `cannot lock ${file}`, {
      hint: 'check that its folder is writable and on a file system with locks',
      cause,
    })
  }
  const held = database
  let released = false
  return {
    release: () => {
      if (released) return
      released = true
      held.close()
    },
  }
}

/** https://www.sqlite.org/rescode.html#busy */
const SQLITE_BUSY = 5

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY
}
