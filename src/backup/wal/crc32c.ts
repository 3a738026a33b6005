/** CRC-32C (Castagnoli), with which PostgreSQL protects each WAL record (port/pg_crc32c.h); eight bytes a step. */

const POLYNOMIAL = 0x82f63b78
const LANES = 8

/** `tables[k][b]`: what byte b changes when k bytes follow it in the step. */
const tables = makeTables()

function makeTables(): readonly Uint32Array[] {
  const first = new Uint32Array(256).map((_, byte) => {
    let crc = byte
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ POLYNOMIAL
    return crc
  })
  const all = [first]
  for (let lane = 1; lane < LANES; lane += 1) {
    const before = all[lane - 1] ?? first
    all.push(first.map((_, byte) => ((before[byte] ?? 0) >>> 8) ^ (first[(before[byte] ?? 0) & 0xff] ?? 0)))
  }
  return all
}

const [t0, t1, t2, t3, t4, t5, t6, t7] = tables as [
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
]

export const CRC_START = 0xffffffff

/** Continues a CRC with the bytes from `start` to `end`; begin with {@link CRC_START}, end with {@link crcEnd}. */
export function crc32c(crc: number, data: Buffer, start: number, end: number): number {
  let at = start
  let sum = crc
  for (; at + LANES <= end; at += LANES) {
    const low = sum ^ at4(data, at)
    const high = at4(data, at + 4)
    sum =
      at1(t7, low) ^
      at1(t6, low >>> 8) ^
      at1(t5, low >>> 16) ^
      at1(t4, low >>> 24) ^
      at1(t3, high) ^
      at1(t2, high >>> 8) ^
      at1(t1, high >>> 16) ^
      at1(t0, high >>> 24)
  }
  for (; at < end; at += 1) sum = (sum >>> 8) ^ at1(t0, sum ^ (data[at] ?? 0))
  return sum >>> 0
}

export function crcEnd(crc: number): number {
  return (crc ^ 0xffffffff) >>> 0
}

function at1(table: Uint32Array, value: number): number {
  return table[value & 0xff] as number
}

function at4(data: Buffer, at: number): number {
  return (
    (data[at] as number) |
    ((data[at + 1] as number) << 8) |
    ((data[at + 2] as number) << 16) |
    ((data[at + 3] as number) << 24)
  )
}
