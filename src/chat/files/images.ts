import { AkashiError } from '../../foundation/index.ts'

/** Maximum bytes of an image that is decoded in memory. */
export const MAX_IMAGE_BYTES = 41_943_040
/** Maximum pixels of an image, all frames together: a small file can decode to gigabytes. */
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
 * Decodes and re-encodes an image, which removes location, camera and all other metadata, and any data appended
 * to it.
 * @throws invalid_input when it cannot be decoded
 */
export async function cleanImage(bytes: Uint8Array, mimeType: string): Promise<CleanImage> {
  const { default: sharp } = await import('sharp')
  const format = Object.entries(formats).find(([mime]) => mime === mimeType)?.[1]
  if (format === undefined)
    throw new AkashiError('invalid_input', `${mimeType} is not a supported image type`)
  try {
    const animated = format === 'gif' || format === 'webp'
    const options = { limitInputPixels: MAX_IMAGE_PIXELS, failOn: 'error' as const }
    // Applies the orientation of the metadata, which is about to be removed.
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
