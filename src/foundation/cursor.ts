/** Cursors are opaque to clients: base64url of a JSON array, validated when they come back. */
import { z } from 'zod'
import { AkashiError } from './errors.ts'
import { jsonOrNull } from './json.ts'

/** Longer than any cursor issued: the longest contains the name of a room. */
const MAX_CURSOR_LENGTH = 1_000

export function encodeCursor(place: readonly string[]): string {
  return Buffer.from(JSON.stringify(place)).toString('base64url')
}

/** `invalid_input` unless {@link encodeCursor} returned `cursor` for a place of this shape. */
export function decodeCursor<T extends readonly string[]>(cursor: string, place: z.ZodType<T>): T {
  const bytes = cursor.length > MAX_CURSOR_LENGTH ? Buffer.alloc(0) : Buffer.from(cursor, 'base64url')
  const parsed = place.safeParse(jsonOrNull(bytes.toString('utf8')))
  if (!parsed.success || encodeCursor(parsed.data) !== cursor) {
    throw new AkashiError('invalid_input', 'the cursor is not valid', {
      hint: 'pass the cursor of the previous page unchanged, or none for the first page',
    })
  }
  return parsed.data
}

/** A timestamp in UTC with microseconds. */
export const exactTime = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
