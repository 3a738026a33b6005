/**
 * Compresses frames in reusable contexts. One-shot calls of node:zlib create a context per frame, which costs as
 * much as the compression, and its memory triggers V8 garbage collections.
 */
import { constants, createZstdCompress, type ZstdCompress } from 'node:zlib'

const ZSTD_LEVEL = 1
/** Output chunk size; each chunk costs a turn of the event loop, and the default is 16 KiB. */
const CHUNK_BYTES = 512 * 1024
/** Idle contexts kept for later frames; about 2 MiB each. */
const MAX_IDLE = 4

const idle: FrameCompressor[] = []

/** Returns one complete zstd frame in pieces; compresses in the thread pool. */
export async function compressFrame(data: Uint8Array): Promise<readonly Buffer[]> {
  const compressor = idle.pop() ?? new FrameCompressor()
  const pieces = await compressor.compress(data)
  // A failed context is not reused.
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
