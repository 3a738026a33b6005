import { join } from 'node:path'
import type { Account } from './account.ts'

/**
 * The folder of one embedded server. Akashi's own files are directly in it; the server writes only to
 * subfolders that belong to its account. So an attacker who controls the server can neither change its
 * configuration nor plant links that root would follow.
 */
export interface Home {
  readonly dir: string
  readonly account: Account | undefined
  /** PGDATA: exists only once initdb has completed. */
  readonly clusterDir: string
  readonly logDir: string
  readonly runDir: string
  readonly configFile: string
  readonly hbaFile: string
  readonly passwordFile: string
  readonly recordFile: string
}

export function homePaths(dir: string, account?: Account): Home {
  return {
    dir,
    account,
    clusterDir: join(dir, 'data'),
    logDir: join(dir, 'log'),
    runDir: join(dir, 'run'),
    configFile: join(dir, 'postgresql.conf'),
    hbaFile: join(dir, 'pg_hba.conf'),
    passwordFile: join(dir, 'superuser.password'),
    recordFile: join(dir, 'server.json'),
  }
}
