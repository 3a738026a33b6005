/**
 * Compression of frames in contexts that are used again. One-shot calls of node:zlib make a context for each frame,
 * which costs as much as compressing it, and V8 a collection for each that it counts as its own memory.
 */
import { constants, createZstdCompress, type ZstdCompress } from 'node:zlib'

const ZSTD_LEVEL = 1
/** Bytes that compression hands over at a time; the default of 16 KiB costs a turn of the event loop each. */
const CHUNK_BYTES = 512 * 1024
/** Contexts that are kept for later frames; about 2 MiB each. */
const MAX_IDLE = 4

const idle: FrameCompressor[] = []

/** One complete zstd frame, in pieces; compressed in the thread pool. */
export async function compressFrame(data: Uint8Array): Promise<readonly Buffer[]> {
  const compressor = idle.pop() ?? new FrameCompressor()
  const pieces = await compressor.compress(data)
  // One that failed is not kept.
  if (idle.length < MAX_IDLE) idle.push(compressor)
  else compressor.close()
  return pieces
}

class FrameCompressor {
  readonly #stream: ZstdCompress = createZstdCompress({
    chunkSize: CHUNK_BYTES,
    params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL },
  })
  #pieces: Buffer[] = []

  constructor() {
    this.#stream.on('data', (piece: Buffer) => this.#pieces.push(piece))
  }

  compress(data: Uint8Array): Promise<readonly Buffer[]> {
    return new Promise((resolve, reject) => {
      this.#stream.once('error', reject)
      this.#stream.write(data)
      this.#stream.flush(constants.ZSTD_e_end, () => {
        this.#stream.off('error', reject)
        const pieces = this.#pieces
        this.#pieces = []
        resolve(pieces)
      })
    })
  }

  close(): void {
    this.#stream.destroy()
  }
}
