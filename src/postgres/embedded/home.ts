import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import {
  chmod,
  chown,
  lstat,
  mkdir,
  mkdtemp,
  open,
  readFile,
  realpath,
  rename,
  rm,
  symlink,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AkashiError } from '../../foundation/index.ts'
import { type Account, canUse, serverAccount } from './account.ts'
import { isMissing, replaceFile } from './files.ts'
import { type Home, homePaths } from './home-paths.ts'
import { clearLeftovers } from './recover.ts'

/** Where the cluster is when the server's account cannot reach the data folder. Only root writes there. */
export const STATE_DIR = '/var/lib/akashi'

/** In the data folder: the home, or the link to it. */
export const PLACE = 'postgres'
const ORIGIN_FILE = 'origin'
/** The server's account passes through to its subfolders but neither lists nor changes root's files. */
const HOME_MODE_AS_ROOT = 0o711

/**
 * The real path of the home under `dataDir`; undefined when there is none. Changes nothing.
 * @throws conflict when it links to a folder that is gone
 */
export async function findHome(dataDir: string): Promise<string | undefined> {
  const place = join(dataDir, PLACE)
  const entry = await lstat(place).catch(undefinedIfMissing)
  if (entry === undefined) return undefined
  const real = await realpath(place).catch(undefinedIfMissing)
  if (real !== undefined) return real
  throw new AkashiError('conflict', `${place} links to a folder that does not exist`, {
    hint: 'restore that folder, or remove the link to start with an empty database',
  })
}

/**
 * Finds or creates the home. Normally it is `dataDir/postgres`. As root, when the server's account cannot
 * reach that (a home directory of mode 700 above it), it is a folder in {@link STATE_DIR}, named by the hash
 * of the data folder's real path, and `dataDir/postgres` is a link to it.
 * @param dataDir real path
 */
export async function openHome(dataDir: string): Promise<Home> {
  const existing = await findHome(dataDir)
  const account = await serverAccount(join(existing ?? dataDir, 'data'))
  const dir = existing ?? (await makeHome(dataDir, account))
  const home = homePaths(dir, account)
  await checkOrigin(home.dir, dataDir)
  await chmod(home.dir, account === undefined ? 0o700 : HOME_MODE_AS_ROOT)
  for (const folder of [home.logDir, home.runDir]) await serverFolder(folder, account)
  if (account !== undefined && !(await canUse(account, home.runDir))) {
    throw new AkashiError('forbidden', `the account of the server cannot reach ${home.dir}`, {
      hint: `allow the user with id ${account.uid} to enter the folders above it (chmod o+x)`,
    })
  }
  return home
}

async function makeHome(dataDir: string, account: Account | undefined): Promise<string> {
  const place = join(dataDir, PLACE)
  if (account === undefined || (await canReach(account, dataDir))) {
    await mkdir(place)
    return place
  }
  const dir = join(STATE_DIR, createHash('sha256').update(dataDir).digest('hex').slice(0, 16))
  await makeStateDir()
  await setAside(dir)
  await mkdir(dir)
  await replaceFile(join(dir, ORIGIN_FILE), `${dataDir}\n`, { mode: 0o644 })
  await symlink(dir, place)
  return dir
}

/** Whether a folder below `dataDir` would be usable, tried with a real one. */
async function canReach(account: Account, dataDir: string): Promise<boolean> {
  const probe = await mkdtemp(join(dataDir, 'probe-'))
  try {
    await chown(probe, account.uid, account.gid)
    return await canUse(account, probe)
  } finally {
    await rm(probe, { recursive: true })
  }
}

export async function makeStateDir(): Promise<void> {
  await mkdir(STATE_DIR, { recursive: true })
  const found = await lstat(STATE_DIR)
  if (!found.isDirectory() || found.uid !== 0) {
    throw new AkashiError('conflict', `${STATE_DIR} is not a folder owned by root`, { hint: 'move it away' })
  }
  await chmod(STATE_DIR, 0o755)
}

/**
 * A data folder that was deleted and created again gets an empty database. The cluster of the deleted one,
 * which nothing links to any more, is kept under another name.
 */
async function setAside(dir: string): Promise<void> {
  if ((await lstat(dir).catch(undefinedIfMissing)) === undefined) return
  await clearLeftovers(homePaths(dir))
  await rename(dir, `${dir}.unlinked-${Date.now()}`)
}

/** A data folder may be moved, but not copied: both copies would use the same cluster. */
async function checkOrigin(dir: string, dataDir: string): Promise<void> {
  const file = join(dir, ORIGIN_FILE)
  const origin = (await readFile(file, 'utf8').catch(undefinedIfMissing))?.trim()
  if (origin === undefined || origin === dataDir) return
  const linked = await realpath(join(origin, PLACE)).catch(() => undefined)
  if (linked === dir) {
    throw new AkashiError('conflict', `${dataDir} is a copy of ${origin} and links to the same cluster`, {
      hint: `remove ${join(dataDir, PLACE)} to give the copy its own database`,
    })
  }
  await replaceFile(file, `${dataDir}\n`, { mode: 0o644 })
}

/**
 * Creates a folder that the server writes to, accessible to its account alone. Links are not followed: in a
 * home that belongs to an ordinary user, root could be tricked into giving that user any folder.
 */
export async function serverFolder(folder: string, account: Account | undefined): Promise<void> {
  await mkdir(folder, { recursive: true })
  const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
  try {
    if (account !== undefined) await handle.chown(account.uid, account.gid)
    await handle.chmod(0o700)
  } finally {
    await handle.close()
  }
}

/** sockaddr_un.sun_path holds 108 bytes on Linux and 104 on macOS, its final zero included. */
const MAX_SOCKET_PATH_BYTES = 103
const LONGEST_SOCKET_NAME = '/.s.PGSQL.65535'
const SOCKET_FOLDER_PREFIX = 'akashi-'

/** The home's `run`, or a new private folder in the system's temporary folder if that path is too long. */
export async function socketFolder(home: Home): Promise<string> {
  const fits = (dir: string): boolean => Buffer.byteLength(dir + LONGEST_SOCKET_NAME) <= MAX_SOCKET_PATH_BYTES
  if (fits(home.runDir)) return home.runDir
  const parent = fits(join(tmpdir(), `${SOCKET_FOLDER_PREFIX}XXXXXX`)) ? tmpdir() : '/tmp'
  const dir = await mkdtemp(join(parent, SOCKET_FOLDER_PREFIX))
  await serverFolder(dir, home.account)
  return dir
}

/** Removes the temporary socket folder of a stopped server, if it is one. */
export async function dropSocketFolder(home: Home, dir: string): Promise<void> {
  if (dir === home.runDir || !dir.includes(`/${SOCKET_FOLDER_PREFIX}`)) return
  const found = await lstat(dir).catch(() => undefined)
  const owner = home.account?.uid ?? process.getuid?.()
  if (found?.isDirectory() === true && found.uid === owner) await rm(dir, { recursive: true, force: true })
}

function undefinedIfMissing(error: unknown): undefined {
  if (!isMissing(error)) throw error
}
