import type { Sharp } from 'sharp'
import type { CleanImage } from './images.ts'

/** Maximum pixels of an image, all frames together: a small file can decode to gigabytes. */
const MAX_IMAGE_PIXELS = 50_000_000
/** Pixels of the longer side of a thumbnail. */
const THUMBNAIL_SIDE = 480
const JPEG_QUALITY = 90
/** Of 9: more takes minutes for a large picture. */
const AVIF_EFFORT = 2

const formats = {
  'image/png': 'png',
  'image/jpeg': 'jpeg',
  'image/gif': 'gif',
  'image/webp': 'webp',
  'image/avif': 'avif',
} as const

const encodings: Readonly<Record<string, object>> = {
  jpeg: { quality: JPEG_QUALITY },
  avif: { effort: AVIF_EFFORT },
}

/**
 * Decodes and re-encodes an image, which removes location, camera and all other metadata, and any data appended
 * to it. Null when it cannot be decoded.
 */
export async function reencode(
  bytes: Uint8Array,
  mimeType: string,
  square?: number,
): Promise<CleanImage | null> {
  const { default: sharp } = await import('sharp')
  const format = Object.entries(formats).find(([mime]) => mime === mimeType)?.[1]
  if (format === undefined) return null
  try {
    const animated = format === 'gif' || format === 'webp'
    const options = { limitInputPixels: MAX_IMAGE_PIXELS, failOn: 'error' as const }
    if (square !== undefined) return await cut(sharp(bytes, options), square)
    // Applies the orientation of the metadata, which is about to be removed.
    const clean = await sharp(bytes, { ...options, animated })
      .rotate()
      .toFormat(format, encodings[format] ?? {})
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
  } catch {
    return null
  }
}

/** The middle of a picture, of an animated one its first frame. */
async function cut(picture: Sharp, side: number): Promise<CleanImage> {
  const bytes = await picture.rotate().resize(side, side, { fit: 'cover' }).webp().toBuffer()
  return { bytes, mimeType: 'image/webp', width: side, height: side, thumbnail: bytes }
}
