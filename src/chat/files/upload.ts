import { createHash } from 'node:crypto'
import { basename } from 'node:path'
import { type Readable, Transform } from 'node:stream'
import { type ChatFile, MAX_FILE_BYTES } from '@akashi/contract'
import { AkashiError } from '../../foundation/index.ts'
import type { ObjectStore } from '../../object-store/index.ts'
import type { Actor, Database } from '../../postgres/index.ts'
import { fileJson } from '../json-sql.ts'

/** Characters of a file's name, S1 3.6. */
const MAX_NAME_CHARACTERS = 255

export interface Upload {
  /** As its sender calls it; only ever shown. */
  readonly name: string
  /** As its sender says; what it is is found out by its bytes. */
  readonly mimeType: string
  readonly bytes: Readable
  readonly signal?: AbortSignal
}

/**
 * Streams a file into the object store, where it waits to be scanned; nobody can fetch it before. `too_large`
 * past {@link MAX_FILE_BYTES}, and nothing is kept of it.
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
  // The store tells of it too; an error before it listens must not end the process.
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
          new AkashiError('too_large', `a file has ${MAX_FILE_BYTES} bytes at most`, {
            hint: 'send it in parts, or a link to it',
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

/** The last part of a path, without what no name should hold. */
export function shownName(given: string): string {
  const name = basename(given.replaceAll('\\', '/'))
    .toWellFormed()
    // Control characters, and marks that turn the direction of text round to hide an ending.
    .replaceAll(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, '')
    .trim()
  return [...(name === '' || name === '.' || name === '..' ? 'file' : name)]
    .slice(0, MAX_NAME_CHARACTERS)
    .join('')
}
