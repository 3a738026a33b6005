/** A POSIX tar archive (ustar) of small files, such as every system unpacks. */

export interface TarFile {
  /** ASCII, at most 100 characters. */
  readonly name: string
  readonly content: Buffer
}

const BLOCK = 512
/** Bytes of the checksum's field, which counts as spaces while it is computed. */
const CHECKSUM = { at: 148, length: 8 }
const FILE_MODE = '0000600'

export function tar(files: readonly TarFile[], modified: Date): Buffer {
  const blocks = files.flatMap(({ name, content }) => [
    header(name, content.length, modified),
    content,
    Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK),
  ])
  // Two empty blocks end an archive.
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)])
}

function header(name: string, bytes: number, modified: Date): Buffer {
  const block = Buffer.alloc(BLOCK)
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, '0')
  block.write(name, 0, 100, 'ascii')
  block.write(FILE_MODE, 100, 'ascii')
  block.write(octal(0, 7), 108, 'ascii')
  block.write(octal(0, 7), 116, 'ascii')
  block.write(octal(bytes, 11), 124, 'ascii')
  block.write(octal(Math.floor(modified.getTime() / 1_000), 11), 136, 'ascii')
  block.fill(' ', CHECKSUM.at, CHECKSUM.at + CHECKSUM.length)
  block.write('0', 156, 'ascii')
  block.write('ustar\u000000', 257, 'ascii')
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${octal(sum, 6)}\u0000 `, CHECKSUM.at, 'ascii')
  return block
}
