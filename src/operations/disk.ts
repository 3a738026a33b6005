import { statfs } from 'node:fs/promises'

export interface Disk {
  readonly freeBytes: number
  readonly totalBytes: number
}

/** The disk of a folder; null where it cannot be asked. */
export async function diskOf(folder: string | undefined): Promise<Disk | null> {
  if (folder === undefined) return null
  try {
    const { bavail, blocks, bfree, bsize } = await statfs(folder)
    // What is reserved for root counts as used, as in df.
    return { freeBytes: bavail * bsize, totalBytes: (blocks - bfree + bavail) * bsize }
  } catch {
    return null
  }
}

export function usedPercent({ freeBytes, totalBytes }: Disk): number {
  return totalBytes === 0 ? 0 : 100 * (1 - freeBytes / totalBytes)
}
