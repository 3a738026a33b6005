/**
 * Reads the uncompressed size that a ZIP file (or office document) declares. A scanner stops at its limits and
 * reports only on what it saw, so files that unpack to far more are rejected before. Format: APPNOTE.TXT 4.3.
 */
const END_SIGNATURE = 0x06054b50
const ENTRY_SIGNATURE = 0x02014b50
const END_BYTES = 22
const ENTRY_BYTES = 46
/** Maximum bytes of the comment after the directory. */
const MAX_COMMENT_BYTES = 65_535
/** Maximum bytes of a directory, far more than any document needs. */
const MAX_DIRECTORY_BYTES = 8_388_608
/** The value of a field that refers to the ZIP64 record, which files of the allowed size do not need. */
const REFERS_ELSEWHERE = 0xffffffff

/** Maximum uncompressed bytes of all entries together. */
export const MAX_UNPACKED_BYTES = 1_073_741_824
/** An archive that unpacks to more than this many times its size, and to more than {@link HARMLESS_BYTES}, is a bomb. */
const MAX_RATIO = 200
const HARMLESS_BYTES = 33_554_432

export type ReadRange = (start: number, end: number) => Promise<Buffer>

/** Whether a ZIP file of `size` bytes unpacks to too much, or does not declare how much. */
export async function isZipBomb(read: ReadRange, size: number): Promise<boolean> {
  const from = Math.max(0, size - END_BYTES - MAX_COMMENT_BYTES)
  const tail = await read(from, size)
  const end = findEnd(tail)
  if (end === null) return false
  const [length, start] = [tail.readUInt32LE(end + 12), tail.readUInt32LE(end + 16)]
  if (start === REFERS_ELSEWHERE || length > MAX_DIRECTORY_BYTES || start + length > size) return true
  const unpacked = length === 0 ? 0 : unpackedBytes(await read(start, start + length))
  return unpacked > MAX_UNPACKED_BYTES || (unpacked > HARMLESS_BYTES && unpacked > size * MAX_RATIO)
}

function findEnd(tail: Buffer): number | null {
  for (let at = tail.length - END_BYTES; at >= 0; at -= 1) {
    if (tail.readUInt32LE(at) === END_SIGNATURE) return at
  }
  return null
}

function unpackedBytes(directory: Buffer): number {
  let total = 0
  for (let at = 0; at + ENTRY_BYTES <= directory.length; ) {
    if (directory.readUInt32LE(at) !== ENTRY_SIGNATURE) break
    const size = directory.readUInt32LE(at + 24)
    if (size === REFERS_ELSEWHERE) return Number.POSITIVE_INFINITY
    total += size
    at +=
      ENTRY_BYTES +
      directory.readUInt16LE(at + 28) +
      directory.readUInt16LE(at + 30) +
      directory.readUInt16LE(at + 32)
  }
  return total
}
