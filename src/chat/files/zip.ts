/**
 * How large a zip (a document of an office program is one) says it becomes. A scanner stops at its limits and
 * answers for what it saw, so what unpacks to far more is refused before. Format: APPNOTE.TXT 4.3.
 */
const END_SIGNATURE = 0x06054b50
const ENTRY_SIGNATURE = 0x02014b50
const END_BYTES = 22
const ENTRY_BYTES = 46
/** Bytes of the longest comment behind the directory. */
const MAX_COMMENT_BYTES = 65_535
/** Bytes of the largest directory that is read; it lists more members than any document has. */
const MAX_DIRECTORY_BYTES = 8_388_608
/** A field that refers to the 64-bit record: nothing of our size needs one. */
const REFERS_ELSEWHERE = 0xffffffff

/** Bytes that all members of an upload may become together. */
export const MAX_UNPACKED_BYTES = 1_073_741_824
/** Beyond this many times its size, and {@link HARMLESS_BYTES}, an archive is a bomb and no archive. */
const MAX_RATIO = 200
const HARMLESS_BYTES = 33_554_432

export type ReadRange = (start: number, end: number) => Promise<Buffer>

/** Whether the zip of `size` bytes unpacks to more than anybody needs, or does not say to how much. */
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
