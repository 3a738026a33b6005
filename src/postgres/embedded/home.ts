import { createHash } from 'node:crypto'
import { chmod, chown, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Account, canUse, serverAccount } from './account.ts'
import { isMissing } from './postmaster.ts'

/** Where a cluster goes whose data folder the server's account cannot reach. Only root writes there. */
export const STATE_DIR = '/var/lib/akashi'

/** The folder of one embedded server. Akashi's own files lie in it, the server's in its subfolders. */
export interface Home {
  readonly dir: string
  readonly account: Account | undefined
  /** PGDATA: exists only once initdb has completed. */
  readonly clusterDir: string
  readonly draftDir: string
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
    draftDir: join(dir, 'data.initializing'),
    logDir: join(dir, 'log'),
    runDir: join(dir, 'run'),
    configFile: join(dir, 'postgresql.conf'),
    hbaFile: join(dir, 'pg_hba.conf'),
    passwordFile: join(dir, 'superuser.password'),
    recordFile: join(dir, 'server.json'),
  }
}

/** The home under `dataDir`, real path; undefined when there is none. Changes nothing. */
export async function findHome(dataDir: string): Promise<string | undefined> {
  try {
    return await realpath(join(dataDir, LINK_NAME))
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

const LINK_NAME = 'postgres'

/**
 * Finds or makes the home. It is `dataDir/postgres`; as root, when the server's account cannot reach
 * that (a home folder of mode 700 above it), it is a folder of {@link STATE_DIR} named by the hash of
 * the data folder's real path, and `dataDir/postgres` links to it.
 */
export async function openHome(dataDir: string): Promise<Home> {
  const place = join(dataDir, LINK_NAME)
  const existing = await findHome(dataDir)
  const account = await serverAccount(join(existing ?? place, 'data'))
  if (existing === undefined) {
    await mkdir(place, { recursive: true })
    if (account !== undefined) {
      await chmod(place, HOME_MODE_AS_ROOT)
      const probe = await mkdtemp(join(place, 'probe-'))
      await chown(probe, account.uid, account.gid)
      const reachable = await canUse(account, probe)
      await rm(probe, { recursive: true })
      if (!reachable) {
        await rm(place, { recursive: true })
        await linkElsewhere(dataDir, place)
      }
    }
  }
  const home = homePaths(await realpath(place), account)
  await chmod(home.dir, account === undefined ? 0o700 : HOME_MODE_AS_ROOT)
  for (const folder of [home.logDir, home.runDir]) await serverFolder(folder, account)
  return home
}

/** The server's account passes through to its subfolders but neither lists nor changes root's files. */
const HOME_MODE_AS_ROOT = 0o711

async function linkElsewhere(dataDir: string, place: string): Promise<void> {
  const origin = await realpath(dataDir)
  const dir = join(STATE_DIR, createHash('sha256').update(origin).digest('hex').slice(0, 16))
  await mkdir(dir, { recursive: true, mode: HOME_MODE_AS_ROOT })
  await chmod(STATE_DIR, 0o755)
  await writeFile(join(dir, 'origin'), `${origin}\n`)
  await symlink(dir, place)
}

/** A folder that the server writes: its account's alone. */
export async function serverFolder(folder: string, account: Account | undefined): Promise<void> {
  await mkdir(folder, { recursive: true })
  if (account !== undefined) await chown(folder, account.uid, account.gid)
  await chmod(folder, 0o700)
}

/** sockaddr_un.sun_path holds 108 bytes on Linux and 104 on macOS, its final zero included. */
const MAX_SOCKET_PATH_BYTES = 103
const LONGEST_SOCKET_NAME = '/.s.PGSQL.65535.lock'

/** The home's `run`, or a fresh private folder below the system's temporary one where that path is too long. */
export async function socketFolder(home: Home): Promise<string> {
  const fits = (dir: string): boolean => Buffer.byteLength(dir + LONGEST_SOCKET_NAME) <= MAX_SOCKET_PATH_BYTES
  if (fits(home.runDir)) return home.runDir
  const dir = await mkdtemp(join(fits(join(tmpdir(), 'akashi-XXXXXX')) ? tmpdir() : '/tmp', 'akashi-'))
  await serverFolder(dir, home.account)
  return dir
}
