import { lstat, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const PREFIX = 'akashi-scratch-'
/** Milliseconds without a write after which a folder counts as abandoned: longer than any operation takes. */
const ABANDONED_AFTER_MS = 86_400_000

/**
 * A new temporary folder, readable by this account only, which the caller removes. The folders contain rows in
 * plain text, so the next call removes folders that a killed process left behind over a day ago.
 *
 * @param kind purpose, part of the folder's name
 */
export async function makeScratchFolder(kind: string): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), `${PREFIX}${kind}-`))
  // By the clock that the folders' times are of: with another one, folders in use could look old.
  await removeAbandoned((await lstat(made)).mtimeMs)
  return made
}

async function removeAbandoned(now: number): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(PREFIX)) continue
    const path = join(tmpdir(), name)
    const found = await lstat(path).catch(() => null)
    if (found === null || !found.isDirectory() || found.uid !== process.getuid?.()) continue
    if (found.mtimeMs > now - ABANDONED_AFTER_MS) continue
    // Another process may remove it too; a failed removal is retried by the next call.
    await rm(path, { recursive: true, force: true }).catch(() => undefined)
  }
}
