import { realpath, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { AkashiError } from '../../foundation/index.ts'
import { findHome, PLACE } from './home.ts'
import { homePaths } from './home-paths.ts'
import { LOCK_FILE, tryLock } from './lock.ts'
import { clearLeftovers } from './recover.ts'

/**
 * Deletes the cluster of a data folder, wherever it is stored, with its logs and its password. Used for
 * scratch servers. The rest of the data folder stays.
 * @throws conflict while it runs
 */
export async function removeCluster(dataDir: string): Promise<void> {
  const dir = await findHome(dataDir)
  if (dir === undefined) return
  const real = await realpath(dataDir)
  const lock = tryLock(join(real, LOCK_FILE))
  if (lock === undefined) {
    throw new AkashiError('conflict', `the embedded postgresql of ${real} is running`, {
      hint: 'stop it first',
    })
  }
  try {
    await clearLeftovers(homePaths(dir))
    await rm(dir, { recursive: true, force: true })
    await rm(join(real, PLACE), { force: true })
  } finally {
    lock.release()
  }
}
