/** What a file is, by its bytes; the name and the type that its sender gave count for nothing. */
import { isUtf8 } from 'node:buffer'
import { fileTypeFromBuffer } from 'file-type'

/** Bytes from the start that say what a file is. */
export const HEAD_BYTES = 65_536
/** Bytes at the end of a cut that may belong to a longer character. */
const LONGEST_CHARACTER_BYTES = 4

/** Images that are decoded, cleaned and shown; whatever else calls itself an image is a file to download. */
const shownImages = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/avif'])

export function isShownImage(mimeType: string): boolean {
  return shownImages.has(mimeType)
}

/** `head` is the first {@link HEAD_BYTES} of the file, or all of it. */
export async function contentType(head: Uint8Array): Promise<string> {
  const known = await fileTypeFromBuffer(head)
  // An animated PNG is a PNG with more frames, of which the first is shown.
  if (known?.mime === 'image/apng') return 'image/png'
  if (known !== undefined) return known.mime
  return looksLikeText(head) ? 'text/plain' : 'application/octet-stream'
}

function looksLikeText(head: Uint8Array): boolean {
  if (head.includes(0)) return false
  const whole = head.byteLength < HEAD_BYTES
  // A cut may go through a character, so up to its length less is tried.
  for (let cut = 0; cut <= (whole ? 0 : LONGEST_CHARACTER_BYTES); cut += 1) {
    if (isUtf8(head.subarray(0, head.byteLength - cut))) return true
  }
  return false
}
