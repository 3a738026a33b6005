import { createHash } from 'node:crypto'
import { basename } from 'node:path'
import { type Readable, Transform } from 'node:stream'
import { type ChatFile, MAX_FILE_BYTES } from '@akashi/contract'
import { AkashiError } from '../../foundation/index.ts'
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
      'select id, file_path as path from akashi_chat.begin_upload($1, $2, 1, $3)',
      [roomId, name, upload.mimeType.slice(0, 100) || 'application/octet-stream'],
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
      ...(upload.signal === undefined ? {} : { signal: upload.signal }),
    })
  } catch (error) {
    upload.bytes.resume()
    throw error
  }
  const { rows } = await database.transaction(actor, (session) =>
    session.query<{ file: ChatFile }>(
      `select ${fileJson('f')} as file from akashi_chat.receive_upload($1, $2, $3) f`,
      [row.id, measured.size(), measured.sha256()],
    ),
  )
  const [received] = rows
  if (received === undefined) throw new AkashiError('internal', 'an upload ended without a file')
  return received.file
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
