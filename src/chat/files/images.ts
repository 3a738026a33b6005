/** Pictures are decoded in a separate process, which can be killed at any time. */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { AkashiError } from '../../foundation/index.ts'

/** Maximum bytes of an image that is decoded in memory. */
export const MAX_IMAGE_BYTES = 41_943_040
/** Milliseconds for one picture, start of the process included. */
const IMAGE_TIMEOUT_MS = 90_000
/** Bytes of memory for one picture: the largest in four channels, its copy and the encoder. */
const IMAGE_MEMORY_BYTES = 1_610_612_736

export interface CleanImage {
  readonly bytes: Uint8Array
  readonly mimeType: string
  readonly width: number
  readonly height: number
  /** WebP. */
  readonly thumbnail: Uint8Array
}

/** What the process is asked; it returns a {@link CleanImage}, or null when the picture cannot be decoded. */
export interface ImageRequest {
  readonly bytes: Uint8Array
  readonly mimeType: string
  readonly memoryBytes: number
  /** Pixels of each side of a square that is cut from the middle, as WebP; undefined for the whole picture. */
  readonly square?: number | undefined
}

const here = import.meta.url
const program = fileURLToPath(new URL(`./image-child${here.endsWith('.ts') ? '.ts' : '.js'}`, here))

/**
 * Decodes and re-encodes an image, which removes location, camera and all other metadata, and any data appended to it.
 *
 * @throws AkashiError invalid_input when it cannot be decoded within the limits; cancelled
 */
export async function cleanImage(
  bytes: Uint8Array,
  mimeType: string,
  {
    timeoutMs = IMAGE_TIMEOUT_MS,
    memoryBytes = IMAGE_MEMORY_BYTES,
    square,
    signal,
  }: {
    readonly timeoutMs?: number
    readonly memoryBytes?: number
    readonly square?: number
    readonly signal?: AbortSignal | undefined
  } = {},
): Promise<CleanImage> {
  const child = startProcess()
  const end = () => child.kill('SIGKILL')
  const timer = setTimeout(end, timeoutMs)
  signal?.addEventListener('abort', end, { once: true })
  try {
    const image = await new Promise<CleanImage | null>((resolve, reject) => {
      child.once('error', (cause) =>
        reject(new AkashiError('unavailable', 'pictures cannot be decoded at the moment', { cause })),
      )
      child.once('exit', () => resolve(null))
      child.once('message', (answer: CleanImage | null) => resolve(answer))
      const request: ImageRequest = { bytes, mimeType, memoryBytes, square }
      // A process that is gone already has ended the promise.
      child.send(request, () => undefined)
    })
    if (signal?.aborted === true) throw new AkashiError('cancelled', 'the picture was not decoded')
    if (image === null) throw new AkashiError('invalid_input', 'the image cannot be decoded')
    return image
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', end)
    end()
  }
}

/** It cannot write files, except on Windows, has no environment and is connected only by the channel to this process. */
function startProcess(): ChildProcess {
  const command = [process.execPath, program]
  const [file, args] =
    process.platform === 'win32'
      ? [process.execPath, [program]]
      : ['/bin/sh', ['-c', 'ulimit -f 0; ulimit -c 0; exec nice "$@"', 'sh', ...command]]
  return spawn(file, args, {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    env: {},
    serialization: 'advanced',
  })
}
