import { lstat, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const PREFIX = 'akashi-scratch-'
/** Milliseconds after which nobody works in a folder that nothing was written into: longer than anything takes. */
const ABANDONED_AFTER_MS = 86_400_000

/**
 * A new folder for what is being made, readable to this account only. Whoever makes one removes it. They hold
 * rows in plain text, so those that a killed process left behind go when the next one is made, a day later.
 *
 * @param kind what it is for, in the folder's name
 */
export async function makeScratchFolder(kind: string): Promise<string> {
  await removeAbandoned()
  return await mkdtemp(join(tmpdir(), `${PREFIX}${kind}-`))
}

async function removeAbandoned(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(PREFIX)) continue
    const path = join(tmpdir(), name)
    const found = await lstat(path).catch(() => null)
    if (found === null || !found.isDirectory() || found.uid !== process.getuid?.()) continue
    if (found.mtimeMs > Date.now() - ABANDONED_AFTER_MS) continue
    // Another process may remove it too; what cannot be removed is tried again with the next.
    await rm(path, { recursive: true, force: true }).catch(() => undefined)
  }
}
