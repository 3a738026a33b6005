/** Small secret files in a folder private to this account. */
import { randomBytes } from 'node:crypto'
import { constants, type Stats } from 'node:fs'
import { type FileHandle, link, mkdir, open, readdir, rename, stat, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { AkashiError, errno, syncFolder } from '../foundation/index.ts'

const FOLDER_MODE = 0o700
const FILE_MODE = 0o600
/** Permission bits of group and others. */
const OTHERS = 0o077
const NONCE_BYTES = 8
/** Older files are leftovers of dead processes; no write takes this long. */
const LEFTOVER_AGE_MS = 60 * 60 * 1000
/** Far above the size of any keyring file. */
const MAX_FILE_BYTES = 64 * 1024

/** Creates the folder if missing; `invalid_config` if others can access it. */
export async function preparePrivateFolder(path: string): Promise<void> {
  const outermost = await mkdir(path, { recursive: true, mode: FOLDER_MODE })
  if (outermost !== undefined) {
    for (let made = path; made.length >= outermost.length; made = dirname(made))
      await syncFolder(dirname(made))
  }
  assertPrivate(await stat(path), path, FOLDER_MODE)
}

/** null if absent; refused if others can read it. */
export async function readPrivateFile(path: string): Promise<string | null> {
  let file: FileHandle
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  } catch (error) {
    if (errno(error) === 'ENOENT') return null
    throw error
  }
  try {
    const stats = await file.stat()
    assertPrivate(stats, path, FILE_MODE)
    if (!stats.isFile() || stats.size > MAX_FILE_BYTES)
      throw new AkashiError('integrity', `${path} is not a key file`)
    return await file.readFile('utf8')
  } finally {
    await file.close()
  }
}

/** Durable when it resolves. Exactly one of several racing writers gets true; the others change nothing. */
export async function writeIfAbsent(temp: string, path: string, text: string): Promise<boolean> {
  const made = await writeTemp(temp, text)
  try {
    await link(made, path)
    await syncFolder(dirname(path))
    return true
  } catch (error) {
    if (errno(error) === 'EEXIST') return false
    throw error
  } finally {
    await unlinkIfThere(made)
  }
}

/** Replaces the file. Uses rename, not link, so that the secret never has two names. */
export async function writeNew(temp: string, path: string, text: string): Promise<void> {
  const made = await writeTemp(temp, text)
  try {
    await rename(made, path)
  } catch (error) {
    await shred(made)
    throw error
  }
  await syncFolder(dirname(path))
}

/**
 * Overwrites a file with random bytes, syncs it, unlinks it and syncs the folder; does nothing if absent. On
 * copy-on-write file systems and flash old blocks may survive: there, a passphrase or an encrypted disk makes
 * destruction final.
 *
 * @param options everyName: also if the file has further names, whose content is destroyed too
 */
export async function shred(path: string, options: { readonly everyName?: boolean } = {}): Promise<void> {
  let file: FileHandle
  try {
    file = await open(path, constants.O_WRONLY | constants.O_NOFOLLOW)
  } catch (error) {
    if (errno(error) === 'ENOENT') return
    throw error
  }
  try {
    const { size, nlink } = await file.stat()
    // A second name means that a writer died between link and unlink: the other name is still in use.
    if (nlink <= 1 || options.everyName === true) {
      await file.write(randomBytes(size), 0, size, 0)
      await file.sync()
    }
  } finally {
    await file.close()
  }
  await unlinkIfThere(path)
  await syncFolder(dirname(path))
}

/** Shreds the temporary files of dead processes. */
export async function shredLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name)
    const age = await stat(path).then(
      (stats) => Date.now() - stats.mtimeMs,
      () => 0,
    )
    if (age > LEFTOVER_AGE_MS) await shred(path)
  }
}

async function writeTemp(folder: string, text: string): Promise<string> {
  const path = join(folder, randomBytes(NONCE_BYTES).toString('hex'))
  const file = await open(path, 'wx', FILE_MODE)
  try {
    await file.writeFile(text)
    await file.sync()
  } catch (error) {
    await unlinkIfThere(path)
    throw error
  } finally {
    await file.close()
  }
  return path
}

function assertPrivate(stats: Stats, path: string, mode: number): void {
  // Windows has no such bits; the mode that Node reports there is meaningless.
  if (process.platform === 'win32' || (stats.mode & OTHERS) === 0) return
  const had = (stats.mode & 0o777).toString(8).padStart(4, '0')
  throw new AkashiError('invalid_config', `the keyring's ${path} is accessible to others (mode ${had})`, {
    hint: `find out who may have read it, then: chmod ${mode.toString(8)} '${path}'`,
  })
}

async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path)
  } catch (error) {
    if (errno(error) !== 'ENOENT') throw error
  }
}
