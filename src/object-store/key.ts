import { AkashiError } from '../foundation/index.ts'

/** The limit of S3, the lowest of all stores. */
const MAX_KEY_BYTES = 1024
/** NAME_MAX of common file systems. */
const MAX_SEGMENT_BYTES = 255
const SEGMENT = /^[A-Za-z0-9._=+-]+$/
const PREFIX = /^[A-Za-z0-9._=+/-]*$/

function reasonAgainst(key: string): string | undefined {
  if (key.length > MAX_KEY_BYTES) return `is longer than ${MAX_KEY_BYTES} bytes`
  for (const segment of key.split('/')) {
    if (segment === '') return 'is empty, or has an empty segment'
    if (segment === '.' || segment === '..') return `has the segment ${segment}`
    if (!SEGMENT.test(segment)) return 'has a character outside A-Z a-z 0-9 . _ = + - /'
    if (segment.length > MAX_SEGMENT_BYTES) return `has a segment longer than ${MAX_SEGMENT_BYTES} bytes`
  }
  return undefined
}

/** Every driver checks keys with this, so that a key valid in one store is valid in all. */
export function assertKey(key: string): void {
  const reason = reasonAgainst(key)
  if (reason !== undefined) {
    throw new AkashiError('invalid_input', `the object key ${reason}`, { detail: { key } })
  }
}

export function isKey(text: string): boolean {
  return reasonAgainst(text) === undefined
}

/** A prefix is any leading part of a key, such as `table/` or `table/ye`. */
export function assertPrefix(prefix: string): void {
  const reason = reasonAgainstPrefix(prefix)
  if (reason !== undefined) {
    throw new AkashiError('invalid_input', `the key prefix ${reason}`, { detail: { prefix } })
  }
}

/** A folder is `''`, or whole segments with a slash at the end. */
export function assertFolder(folder: string): void {
  assertPrefix(folder)
  if (folder !== '' && !folder.endsWith('/')) {
    throw new AkashiError('invalid_input', 'a folder of keys ends with a slash', { detail: { folder } })
  }
}

function reasonAgainstPrefix(prefix: string): string | undefined {
  if (!PREFIX.test(prefix)) return 'has a character outside A-Z a-z 0-9 . _ = + - /'
  const slash = prefix.lastIndexOf('/')
  return slash < 0 ? undefined : reasonAgainst(prefix.slice(0, slash))
}

/** The bytes that a range selects: `start` inclusive, `end` exclusive and never past the object. */
export function resolveRange(
  key: string,
  size: number,
  range: { readonly start: number; readonly end?: number },
): { readonly start: number; readonly end: number } {
  const end = range.end ?? size
  if (
    !Number.isSafeInteger(range.start) ||
    !Number.isSafeInteger(end) ||
    range.start < 0 ||
    range.start >= Math.min(end, size)
  ) {
    throw new AkashiError('invalid_input', 'the byte range is outside the object', {
      detail: { key, size, start: range.start, end: range.end ?? null },
    })
  }
  return { start: range.start, end: Math.min(end, size) }
}
