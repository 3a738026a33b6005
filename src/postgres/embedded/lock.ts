/** In the data folder: held while a server starts, runs or is removed. */
export const LOCK_FILE = 'postgres.lock'

export { tryLock } from '../../foundation/index.ts'
