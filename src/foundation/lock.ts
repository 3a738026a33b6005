import { DatabaseSync } from 'node:sqlite'
import { AkashiError } from './errors.ts'

/**
 * An exclusive file lock that the kernel releases when this process ends for any reason, so that no lock can
 * be stale. Node has no flock; SQLite (fcntl locks) is the way to get one without a native module. The lock
 * also works between containers that share the folder, where process ids are not comparable.
 * @returns undefined if another process, or another caller in this process, holds it
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
