import { randomBytes } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'

/**
 * Replaces `file` atomically. The temporary file is created exclusively, so that root never follows a link
 * that another account planted; `mode` applies regardless of the umask.
 */
export async function replaceFile(
  file: string,
  text: string,
  options: { mode: number; sync?: boolean },
): Promise<void> {
  const draft = `${file}.${randomBytes(4).toString('hex')}.new`
  const handle = await open(draft, 'wx', options.mode)
  try {
    await handle.chmod(options.mode)
    await handle.writeFile(text)
    if (options.sync === true) await handle.sync()
  } finally {
    await handle.close()
  }
  try {
    await rename(draft, file)
  } catch (error) {
    await rm(draft, { force: true })
    throw error
  }
}

/** Makes renames and new files in `folder` survive a power failure. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** The code of a system call's error: `ENOENT`, `EACCES`, … */
export function errno(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

export function isMissing(error: unknown): boolean {
  return errno(error) === 'ENOENT' || errno(error) === 'ENOTDIR'
}
