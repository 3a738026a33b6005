import { AkashiError } from '../../foundation/index.ts'

/** Bytes of an image that is decoded in memory. */
export const MAX_IMAGE_BYTES = 41_943_040
/** Pixels of an image, all frames together: a small file can claim a picture of gigabytes. */
const MAX_IMAGE_PIXELS = 50_000_000
/** Pixels of the longer side of a thumbnail. */
const THUMBNAIL_SIDE = 480
const JPEG_QUALITY = 90

export interface CleanImage {
  readonly bytes: Buffer
  readonly mimeType: string
  readonly width: number
  readonly height: number
  /** WebP. */
  readonly thumbnail: Buffer
}

const formats = {
  'image/png': 'png',
  'image/jpeg': 'jpeg',
  'image/gif': 'gif',
  'image/webp': 'webp',
  'image/avif': 'avif',
} as const

/**
 * Decodes and writes the image anew, which leaves out position, camera and every other metadata, and whatever
 * was hidden behind its end. `invalid_input` for what is no sound image.
 */
export async function cleanImage(bytes: Uint8Array, mimeType: string): Promise<CleanImage> {
  const { default: sharp } = await import('sharp')
  const format = Object.entries(formats).find(([mime]) => mime === mimeType)?.[1]
  if (format === undefined) throw new AkashiError('invalid_input', `${mimeType} is no image that is shown`)
  try {
    const animated = format === 'gif' || format === 'webp'
    const options = { limitInputPixels: MAX_IMAGE_PIXELS, failOn: 'error' as const }
    // Turned as its metadata says, since that is about to go.
    const clean = await sharp(bytes, { ...options, animated })
      .rotate()
      .toFormat(format, format === 'jpeg' ? { quality: JPEG_QUALITY } : {})
      .toBuffer({ resolveWithObject: true })
    const thumbnail = await sharp(clean.data, options)
      .resize(THUMBNAIL_SIDE, THUMBNAIL_SIDE, { fit: 'inside', withoutEnlargement: true })
      .webp()
      .toBuffer()
    return {
      bytes: clean.data,
      mimeType,
      width: clean.info.width,
      height: clean.info.pageHeight ?? clean.info.height,
      thumbnail,
    }
  } catch (error) {
    throw new AkashiError('invalid_input', 'the image cannot be decoded', { cause: error })
  }
}
