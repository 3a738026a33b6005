import { createHash } from 'node:crypto'
import { basename } from 'node:path'
import { type Readable, Transform } from 'node:stream'
import { type ChatFile, MAX_FILE_BYTES } from '@akashi/contract'
import { AkashiError, given } from '../../foundation/index.ts'
import type { ObjectStore } from '../../object-store/index.ts'
import type { Actor, Database } from '../../postgres/index.ts'
import { fileJson } from '../json-sql.ts'

/** Maximum characters of a file name. */
const MAX_NAME_CHARACTERS = 255

export interface Upload {
  /** The name given by the sender; only displayed. */
  readonly name: string
  /** The type declared by the sender; the real one is detected from the content. */
  readonly mimeType: string
  /** Bytes that are expected; without it, as many as a file can have. They count for the sender from the beginning. */
  readonly size?: number
  readonly bytes: Readable
  readonly signal?: AbortSignal
}

/**
 * Streams a file to the object store, where nobody can download it until it was scanned.
 * @throws too_large beyond {@link MAX_FILE_BYTES}; nothing is kept then
 */
export async function uploadFile(
  database: Database,
  store: ObjectStore,
  actor: Actor,
  roomId: string,
  upload: Upload,
): Promise<ChatFile> {
  const name = shownName(upload.name)
  const begun = await database.transaction(actor, (session) =>
    session.query<{ id: string; path: string }>(
      'select id, file_path as path from akashi_chat.begin_upload($1, $2, $4, $3)',
      [
        roomId,
        name,
        upload.mimeType.slice(0, 100) || 'application/octet-stream',
        Math.min(Math.max(upload.size ?? MAX_FILE_BYTES, 1), MAX_FILE_BYTES),
      ],
    ),
  )
  const [row] = begun.rows
  if (row === undefined) throw new AkashiError('internal', 'an upload began without an id')
  const measured = measure()
  upload.bytes.once('error', (error) => measured.stream.destroy(error))
  // The store reports the error too; without a listener, an earlier error would end the process.
  measured.stream.on('error', () => undefined)
  try {
    await store.put(row.path, upload.bytes.pipe(measured.stream), {
      ifAbsent: true,
      ...given({ signal: upload.signal }),
    })
    const { rows } = await database.transaction(actor, (session) =>
      session.query<{ file: ChatFile }>(
        `select ${fileJson('f')} as file from akashi_chat.receive_upload($1, $2, $3) f`,
        [row.id, measured.size(), measured.sha256()],
      ),
    )
    const [received] = rows
    if (received === undefined) throw new AkashiError('internal', 'an upload ended without a file')
    return received.file
  } catch (error) {
    upload.bytes.resume()
    await giveUp(database, store, actor, row).catch(() => undefined)
    throw error
  }
}

/** A refused or interrupted upload uses no disk space, and does not count towards its sender's limit. */
async function giveUp(
  database: Database,
  store: ObjectStore,
  actor: Actor,
  { id, path }: { readonly id: string; readonly path: string },
): Promise<void> {
  await store.delete(path)
  await database.transaction(actor, (session) => session.query('select akashi_chat.give_up_upload($1)', [id]))
}

function measure() {
  const hash = createHash('sha256')
  let size = 0
  const stream = new Transform({
    transform(piece: Buffer, _, done) {
      size += piece.byteLength
      if (size > MAX_FILE_BYTES) {
        done(
          new AkashiError('too_large', `a file can have at most ${MAX_FILE_BYTES} bytes`, {
            hint: 'split the file, or send a link to it',
          }),
        )
        return
      }
      hash.update(piece)
      done(null, piece)
    },
    flush(done) {
      done(size === 0 ? new AkashiError('invalid_input', 'the file is empty') : null)
    },
  })
  return { stream, size: () => size, sha256: () => hash.digest('hex') }
}

/** The last component of a path, without characters that a file name should not contain. */
export function shownName(given: string): string {
  const name = basename(given.replaceAll('\\', '/'))
    .toWellFormed()
    // Control characters, and bidirectional marks, which can disguise the file extension.
    .replaceAll(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, '')
    .trim()
  return [...(name === '' || name === '.' || name === '..' ? 'file' : name)]
    .slice(0, MAX_NAME_CHARACTERS)
    .join('')
}
