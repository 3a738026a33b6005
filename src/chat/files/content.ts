/** Detects the type of a file from its content; the name and type given by the sender are ignored. */
import { isUtf8 } from 'node:buffer'
import { fileTypeFromBuffer } from 'file-type'

/** Bytes from the start that are enough to detect the type. */
export const HEAD_BYTES = 65_536
/** Bytes at the end of the head that may be part of a character. */
const LONGEST_CHARACTER_BYTES = 4

/** Images that are decoded, cleaned and displayed; other images are files to download. */
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
  // The head may end within a character, so shorter heads are tried too.
  for (let cut = 0; cut <= (whole ? 0 : LONGEST_CHARACTER_BYTES); cut += 1) {
    if (isUtf8(head.subarray(0, head.byteLength - cut))) return true
  }
  return false
}
