/** Memory of packs, in slabs that are reused: new ones would make a backup's worth of garbage. */

/** Bytes of a slab. */
export const SLAB_BYTES = 1024 * 1024

export interface Slabs {
  /** A slab, once there is one. */
  take(): Promise<Buffer>
  give(slabs: readonly Buffer[]): void
}

/** @param most slabs that exist at a time; a caller that needs another one waits until one is released */
export function openSlabs(most: number): Slabs {
  const free: Buffer[] = []
  const waiting: ((slab: Buffer) => void)[] = []
  let made = 0
  return {
    take: async () => {
      const known = free.pop()
      if (known !== undefined) return known
      if (made < most) {
        made += 1
        return Buffer.allocUnsafeSlow(SLAB_BYTES)
      }
      return await new Promise<Buffer>((resolve) => waiting.push(resolve))
    },
    give: (slabs) => {
      for (const slab of slabs) {
        const next = waiting.shift()
        if (next === undefined) free.push(slab)
        else next(slab)
      }
    },
  }
}
