import { constants } from 'node:fs'
import { chmod, copyFile, mkdir, readdir, readlink, stat, symlink } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Copies a folder so that every account can read it. (`fs.cp` keeps the modes, and a package that root
 * installed under umask 077 is readable by nobody else.)
 */
export async function copyTree(source: string, target: string, without: RegExp): Promise<void> {
  await mkdir(target)
  await chmod(target, 0o755)
  for (const entry of await readdir(source, { withFileTypes: true })) {
    const from = join(source, entry.name)
    const to = join(target, entry.name)
    if (without.test(from)) continue
    if (entry.isDirectory()) await copyTree(from, to, without)
    else if (entry.isSymbolicLink()) await symlink(await readlink(from), to)
    else {
      await copyFile(from, to, constants.COPYFILE_FICLONE)
      await chmod(to, ((await stat(from)).mode & 0o100) === 0 ? 0o644 : 0o755)
    }
  }
}
