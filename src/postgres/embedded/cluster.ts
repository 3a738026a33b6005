import { randomBytes } from 'node:crypto'
import { chown, lchown, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { AkashiError } from '../../foundation/index.ts'
import type { Binaries } from './binaries.ts'
import { isMissing, replaceFile, syncFolder } from './files.ts'
import { serverFolder } from './home.ts'
import type { Home } from './home-paths.ts'
import { runProgram } from './program.ts'

export const SUPERUSER = 'postgres'

const PASSWORD_BYTES = 32

/**
 * LC_CTYPE decides what pg_trgm and full-text search treat as a letter; with `C`, Japanese characters are
 * not letters. C.UTF-8 is in glibc since 2.35, in Debian and Fedora since earlier; older macOS lacks it.
 */
const CTYPES = ['C.UTF-8', 'en_US.UTF-8']

export interface ClusterOptions {
  /** Whether writes must survive a power failure. */
  readonly sync: boolean
  readonly signal?: AbortSignal | undefined
}

/**
 * Makes sure that the home holds a complete cluster of the binaries' major version. initdb works in a
 * temporary folder that is renamed when complete, so an interrupted initdb never leaves half a cluster.
 * @returns the superuser's password
 * @throws conflict: another major version, or not a cluster; unavailable: initdb failed
 */
export async function ensureCluster(
  home: Home,
  binaries: Binaries,
  options: ClusterOptions,
): Promise<string> {
  await dropDrafts(home)
  await finishUpgrade(home)
  const major = await clusterMajor(home.clusterDir)
  if (major === undefined) return await createCluster(home, binaries, options)
  if (major !== binaries.version.split('.')[0]) {
    throw new AkashiError(
      'conflict',
      `the cluster is of postgresql ${major}, the server is ${binaries.version}`,
      {
        hint: 'run akashi upgrade to convert the data to the new version; nothing was changed',
        detail: { clusterMajor: major, serverVersion: binaries.version },
      },
    )
  }
  await ownCluster(home)
  return await readPassword(home)
}

/** A cluster that root restored or copied belongs to root; the server insists on owning its files. */
async function ownCluster(home: Home): Promise<void> {
  if (home.account === undefined || (await stat(home.clusterDir)).uid === home.account.uid) return
  for (const name of await readdir(home.clusterDir, { recursive: true })) {
    await lchown(join(home.clusterDir, name), home.account.uid, home.account.gid)
  }
  // Last, so that the next start notices an interruption and repeats this.
  await lchown(home.clusterDir, home.account.uid, home.account.gid)
}

/**
 * Major version of a complete cluster; undefined when there is none.
 * @throws conflict when something else is in its place
 */
export async function clusterMajor(clusterDir: string): Promise<string | undefined> {
  try {
    return (await readFile(join(clusterDir, 'PG_VERSION'), 'utf8')).trim()
  } catch (error) {
    if (!isMissing(error)) throw error
  }
  if (await stat(clusterDir).catch(() => undefined)) {
    throw new AkashiError('conflict', `${clusterDir} exists but is not a postgresql cluster`, {
      hint: 'move it away, or restore it from a backup; nothing was changed',
    })
  }
  return undefined
}

const DRAFT_PREFIX = 'data.initializing-'
/** A complete cluster with which an upgrade was about to replace the old one. */
export const READY = 'data.upgraded'

/**
 * Best effort: an initdb whose parent was killed may still be writing to its draft. Every attempt uses a new
 * folder, and the next start removes what remains.
 */
async function dropDrafts(home: Home): Promise<void> {
  for (const name of await readdir(home.dir)) {
    if (!name.startsWith(DRAFT_PREFIX)) continue
    await rm(join(home.dir, name), { recursive: true, force: true }).catch(() => undefined)
  }
}

/** Completes an upgrade that had moved the old cluster away but not yet put the new one in its place. */
export async function finishUpgrade(home: Home): Promise<void> {
  if ((await clusterMajor(home.clusterDir)) !== undefined) return
  if ((await clusterMajor(join(home.dir, READY))) === undefined) return
  await rename(join(home.dir, READY), home.clusterDir)
  await syncFolder(home.dir)
}

async function createCluster(home: Home, binaries: Binaries, options: ClusterOptions): Promise<string> {
  const password = randomBytes(PASSWORD_BYTES).toString('base64url')
  await replaceFile(home.passwordFile, `${password}\n`, { mode: 0o600, sync: options.sync })
  const draft = await mkdtemp(join(home.dir, DRAFT_PREFIX))
  try {
    await initialize(home, binaries, draft, password, options)
    await rename(draft, home.clusterDir)
  } catch (error) {
    await rm(draft, { recursive: true, force: true })
    throw error
  }
  if (options.sync) await syncFolder(home.dir)
  return password
}

/** Creates a cluster with the superuser's password. @throws unavailable with the output of initdb */
export async function initialize(
  home: Home,
  binaries: Binaries,
  draft: string,
  password: string,
  options: ClusterOptions,
): Promise<void> {
  // initdb runs as the server's account, which cannot read the password file.
  const handover = join(home.runDir, 'initdb.password')
  try {
    await replaceFile(handover, `${password}\n`, { mode: 0o600 })
    if (home.account !== undefined) await chown(handover, home.account.uid, home.account.gid)
    await runInitdb(home, binaries, draft, handover, options)
  } finally {
    await rm(handover, { force: true })
  }
}

async function runInitdb(
  home: Home,
  binaries: Binaries,
  draft: string,
  passwordFile: string,
  options: ClusterOptions,
): Promise<void> {
  await serverFolder(draft, home.account)
  let output = ''
  for (const ctype of CTYPES) {
    // initdb empties the folder again when it fails.
    const result = await runProgram(
      binaries.initdb,
      [
        `--pgdata=${draft}`,
        `--username=${SUPERUSER}`,
        `--pwfile=${passwordFile}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        '--locale=C',
        `--lc-ctype=${ctype}`,
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
        '--data-checksums',
        '--no-instructions',
        ...(options.sync ? [] : ['--no-sync']),
      ],
      { account: home.account, cwd: draft, signal: options.signal },
    )
    if (result.code === 0) return
    output = result.output.trim()
    if (!output.includes('invalid locale')) break
  }
  throw new AkashiError('unavailable', 'the embedded postgresql could not be initialised', {
    hint: output.includes('invalid locale')
      ? `install a UTF-8 locale: ${CTYPES.join(' or ')}`
      : `initdb said: ${output.split('\n').findLast((line) => line.includes('error:')) ?? output}`,
    detail: { output },
  })
}

async function readPassword(home: Home): Promise<string> {
  try {
    return (await readFile(home.passwordFile, 'utf8')).trim()
  } catch (cause) {
    throw new AkashiError('unavailable', `cannot read the superuser password in ${home.passwordFile}`, {
      hint: 'restore the file from a copy of the data folder and make sure that this account can read it',
      cause,
    })
  }
}
