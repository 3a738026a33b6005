/** Small secret files in a folder that nobody else may enter. */
import { randomBytes } from 'node:crypto'
import { constants, type Stats } from 'node:fs'
import { type FileHandle, link, mkdir, open, readdir, rename, stat, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { AkashiError, errno, syncFolder } from '../foundation/index.ts'

const FOLDER_MODE = 0o700
const FILE_MODE = 0o600
/** Whatever the group or anyone else may do. */
const OTHERS = 0o077
const NONCE_BYTES = 8
/** A leftover is from a process that died; nothing takes this long. */
const LEFTOVER_AGE_MS = 60 * 60 * 1000
/** No file of a keyring comes near it. */
const MAX_FILE_BYTES = 64 * 1024

/** Makes the folder when there is none; `invalid_config` when others may enter it. */
export async function preparePrivateFolder(path: string): Promise<void> {
  const outermost = await mkdir(path, { recursive: true, mode: FOLDER_MODE })
  if (outermost !== undefined) {
    for (let made = path; made.length >= outermost.length; made = dirname(made))
      await syncFolder(dirname(made))
  }
  assertPrivate(await stat(path), path, FOLDER_MODE)
}

/** null when there is none; refused when others may read it. */
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
      throw new AkashiError('integrity', `${path} is no key file`)
    return await file.readFile('utf8')
  } finally {
    await file.close()
  }
}

/** Durable when it resolves. Exactly one of many racing writers gets true; the others change nothing. */
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

/** Replaces what has the name. Renamed, not linked: at no moment has the secret a second name. */
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
 * Overwrites a file with random bytes, syncs it, unlinks it and syncs the folder; nothing happens when
 * there is none. On a copying or flash medium old blocks may live on below the file system: there, a
 * passphrase or an encrypted disk is what makes destruction final.
 *
 * @param options everyName: also when the file has further names, whose content goes with it
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
    // A second name means that a writer died between link and unlink: the bytes are in use under the other.
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

/** Destroys the temporary files of processes that died. */
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
  // Windows has no such bits: what node reports there says nothing.
  if (process.platform === 'win32' || (stats.mode & OTHERS) === 0) return
  const had = (stats.mode & 0o777).toString(8).padStart(4, '0')
  throw new AkashiError('invalid_config', `the keyring's ${path} is open to others (mode ${had})`, {
    hint: `find out who could read it, then: chmod ${mode.toString(8)} '${path}'`,
  })
}

async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path)
  } catch (error) {
    if (errno(error) !== 'ENOENT') throw error
  }
}
