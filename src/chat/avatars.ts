/** Pictures of people: scanned, decoded and re-encoded as a small square before anybody sees them. */
import { type Readable, Readable as Stream } from 'node:stream'
import { MAX_AVATAR_BYTES } from '@akashi/contract'
import { AkashiError, given } from '../foundation/index.ts'
import type { Database, Person } from '../postgres/index.ts'
import { recordEvent } from '../security/index.ts'
import { contentType, HEAD_BYTES, isShownImage } from './files/content.ts'
import { cleanImage } from './files/images.ts'
import type { Scanner } from './files/scanner.ts'

/** Pixels of each side. */
const AVATAR_SIDE = 256
/** Milliseconds to decode one picture. */
const DECODE_MS = 20_000
/** Pictures that may wait for the one that is decoded: each takes much memory. */
const MAX_WAITING = 8

export interface AvatarParts {
  /** Of the role `app`. */
  readonly database: Database
  /** Undefined: there is no scanner. What is stored are the pixels of the picture, never the file itself. */
  readonly scanner: Scanner | undefined
}

/**
 * Replaces the picture of the caller. Returns its address.
 *
 * @throws AkashiError invalid_input for anything but a picture, also an infected one; too_large; unavailable while the
 *   scanner does not respond, or too many pictures wait
 */
export async function setAvatar(
  { database, scanner }: AvatarParts,
  actor: Person,
  body: Readable,
  signal?: AbortSignal,
): Promise<string> {
  const bytes = await readAll(body)
  const mimeType = await contentType(bytes.subarray(0, HEAD_BYTES))
  if (!isShownImage(mimeType)) throw notAPicture()
  const verdict = await scanner?.scan(Stream.from([bytes]), signal)
  if (verdict !== undefined && !verdict.clean) {
    if ('threat' in verdict) {
      await database.transaction(actor, (session) =>
        recordEvent(session, {
          event_type: 'malware_detected',
          user_id: actor.userId,
          resource_type: 'avatar',
          resource_id: actor.userId,
          event_details: { reason: `infected: ${verdict.threat}`.slice(0, 100) },
        }),
      )
    }
    throw notAPicture()
  }
  const image = await inTurn(() =>
    cleanImage(bytes, mimeType, { square: AVATAR_SIDE, timeoutMs: DECODE_MS, signal }),
  )
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<{ address: string }>('select akashi_chat.set_avatar($1) as address', [image.bytes]),
    given({ signal }),
  )
  const [row] = rows
  if (row === undefined) throw new AkashiError('internal', 'the picture was not stored')
  return row.address
}

export async function removeAvatar(database: Database, actor: Person): Promise<void> {
  await database.transaction(actor, (session) => session.query('select akashi_chat.set_avatar(null)'))
}

/** The bytes of a picture, WebP. @throws not_found also after it was replaced, removed or erased */
export async function readAvatar(database: Database, actor: Person, avatarId: string): Promise<Uint8Array> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<{ content: Uint8Array }>(
        `select a.content from akashi_chat.avatars a join akashi_auth.profiles u on u.id = a.user_id
         where a.id = $1 and u.avatar_url = '/v1/chat/avatars/' || a.id`,
        [avatarId],
      ),
    { readOnly: true },
  )
  const [row] = rows
  if (row === undefined) throw new AkashiError('not_found', 'picture not found')
  return row.content
}

async function readAll(body: Readable): Promise<Buffer> {
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of body) {
    const bytes = Buffer.from(piece as Uint8Array)
    size += bytes.byteLength
    if (size > MAX_AVATAR_BYTES) {
      throw new AkashiError('too_large', `a picture can have at most ${MAX_AVATAR_BYTES} bytes`, {
        hint: 'send a smaller one',
      })
    }
    pieces.push(bytes)
  }
  if (size === 0)
    throw new AkashiError('invalid_input', 'the picture is empty', { hint: 'send its bytes as the body' })
  return Buffer.concat(pieces, size)
}

function notAPicture(): AkashiError {
  return new AkashiError('invalid_input', 'the file is not a picture that can be used', {
    hint: 'send a PNG, JPEG, GIF, WebP or AVIF file',
  })
}

let waiting = 0
let last: Promise<unknown> = Promise.resolve()

/** Runs one after the other. */
async function inTurn<T>(run: () => Promise<T>): Promise<T> {
  if (waiting >= MAX_WAITING) {
    throw new AkashiError('unavailable', 'too many pictures are being decoded', {
      hint: 'try again in a minute',
    })
  }
  waiting += 1
  const before = last
  const turn = (async () => {
    await before
    return await run()
  })()
  last = turn.catch(() => undefined)
  try {
    return await turn
  } finally {
    waiting -= 1
  }
}
