import { statfs } from 'node:fs/promises'
import { AkashiError } from '../../foundation/index.ts'

/** Space for what recovery itself writes, and for the file system's overhead. */
const SPARE_BYTES = 256 * 1024 * 1024
const GIBIBYTE = 1024 ** 3

/** Checks before anything is written that the disk has enough space. */
export async function assertRoom(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder)
  const free = bavail * bsize
  if (free >= bytes + SPARE_BYTES) return
  const text = (size: number) => `${(size / GIBIBYTE).toFixed(1)} GiB`
  throw new AkashiError(
    'conflict',
    `only ${text(free)} are free for a restore that needs ${text(bytes + SPARE_BYTES)}`,
    {
      hint: `free space on the file system of ${folder}, or restore elsewhere with --to`,
      detail: { free, bytes },
    },
  )
}
