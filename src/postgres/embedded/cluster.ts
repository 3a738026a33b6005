import { randomBytes } from 'node:crypto'
import { chown, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { AkashiError } from '../../foundation/index.ts'
import { runAs } from './account.ts'
import type { Binaries } from './binaries.ts'
import { type Home, serverFolder } from './home.ts'
import { isMissing } from './postmaster.ts'

export const SUPERUSER = 'postgres'

const PASSWORD_BYTES = 32

/**
 * LC_CTYPE decides what pg_trgm and full-text search take for a letter: with `C`, no Japanese
 * character is one. C.UTF-8 is missing on macOS and on glibc before 2.35 (Debian has it long since).
 */
const CTYPES = ['C.UTF-8', 'en_US.UTF-8']

/**
 * Makes sure that the home holds a complete cluster of the binaries' major version.
 * initdb works in a folder of its own that is renamed when complete: a cluster that is there was
 * finished, and what an interrupted initdb left behind never was one.
 * @returns the superuser's password
 */
export async function ensureCluster(
  home: Home,
  binaries: Binaries,
  options: { readonly sync: boolean; readonly signal?: AbortSignal | undefined },
): Promise<string> {
  const major = await clusterMajor(home.clusterDir)
  if (major === undefined) return await createCluster(home, binaries, options)
  if (major !== binaries.version.split('.')[0]) {
    throw new AkashiError('conflict', `the cluster is of postgresql ${major}, the server is ${binaries.version}`, {
      hint: 'run akashi upgrade to bring the data to the new version; nothing was changed',
      detail: { clusterMajor: major, serverVersion: binaries.version },
    })
  }
  return await readPassword(home)
}

/** Major version of a complete cluster; undefined when there is none. */
export async function clusterMajor(clusterDir: string): Promise<string | undefined> {
  try {
    return (await readFile(join(clusterDir, 'PG_VERSION'), 'utf8')).trim()
  } catch (error) {
    if (!isMissing(error)) throw error
  }
  if (await stat(clusterDir).catch(() => undefined)) {
    throw new AkashiError('conflict', `${clusterDir} is there but is no postgresql cluster`, {
      hint: 'move it away, or restore it from a backup; it is left as it is',
    })
  }
  return undefined
}

async function createCluster(
  home: Home,
  binaries: Binaries,
  options: { readonly sync: boolean; readonly signal?: AbortSignal | undefined },
): Promise<string> {
  const password = randomBytes(PASSWORD_BYTES).toString('base64url')
  await writePrivate(home.passwordFile, password, options.sync)
  // initdb runs under the server's account, which cannot read the password file.
  const handover = join(home.runDir, 'initdb.password')
  await rm(handover, { force: true })
  await writePrivate(handover, password, false)
  try {
    if (home.account !== undefined) await chown(handover, home.account.uid, home.account.gid)
    await initialize(home, binaries, handover, options)
  } finally {
    await rm(handover, { force: true })
  }
  await rename(home.draftDir, home.clusterDir)
  if (options.sync) await syncFolder(home.dir)
  return password
}

async function initialize(
  home: Home,
  binaries: Binaries,
  passwordFile: string,
  options: { readonly sync: boolean; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  let output = ''
  for (const ctype of CTYPES) {
    await rm(home.draftDir, { recursive: true, force: true })
    await serverFolder(home.draftDir, home.account)
    const result = await runAs(
      home.account,
      binaries.initdb,
      [
        `--pgdata=${home.draftDir}`,
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
      { cwd: home.draftDir, signal: options.signal },
    )
    if (result.code === 0) return
    output = result.output.trim()
    if (!output.includes('invalid locale')) break
  }
  throw new AkashiError('unavailable', 'the embedded postgresql could not be initialised', {
    hint: output.split('\n').at(-1) ?? 'initdb said nothing',
    detail: { output },
  })
}

async function readPassword(home: Home): Promise<string> {
  try {
    return (await readFile(home.passwordFile, 'utf8')).trim()
  } catch (cause) {
    throw new AkashiError('unavailable', `cannot read the superuser password in ${home.passwordFile}`, {
      hint: 'put the file back from a copy of the data folder, and check that this account may read it',
      cause,
    })
  }
}

async function writePrivate(file: string, text: string, sync: boolean): Promise<void> {
  const draft = `${file}.new`
  await rm(draft, { force: true })
  const handle = await open(draft, 'wx', 0o600)
  try {
    await handle.writeFile(`${text}\n`)
    if (sync) await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(draft, file)
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
