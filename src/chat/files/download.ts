import type { Readable } from 'node:stream'
import type { ChatFile, Classification } from '@akashi/contract'
import { AkashiError } from '../../foundation/index.ts'
import type { ObjectStore } from '../../object-store/index.ts'
import type { Actor, Database } from '../../postgres/index.ts'
import { fileJson } from '../json-sql.ts'

/** @throws not_found also for a file that the caller may not see */
export async function readFile(database: Database, actor: Actor, fileId: string): Promise<ChatFile> {
  return (await find(database, actor, fileId)).file
}

/** Its uploader may raise the classification, an owner or admin of the room set any. */
export async function classifyFile(
  database: Database,
  actor: Actor,
  fileId: string,
  classification: Classification,
): Promise<void> {
  await database.transaction(actor, (session) =>
    session.query('select akashi_chat.classify_file($1, $2)', [fileId, classification]),
  )
}

interface Stored {
  readonly file: ChatFile
  readonly path: string
  readonly thumbnail: string | null
}

async function find(database: Database, actor: Actor, fileId: string): Promise<Stored> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<Stored>(
        `select ${fileJson('f')} as file, f.file_path as path, f.thumbnail_path as thumbnail from akashi_chat.file_uploads f where f.id = $1`,
        [fileId],
      ),
    { readOnly: true },
  )
  const [found] = rows
  if (found === undefined) throw new AkashiError('not_found', 'file not found')
  return found
}

export interface Download {
  readonly file: ChatFile
  /** Bytes of the whole file. */
  readonly size: number
  readonly mimeType: string
  open(range?: { readonly start: number; readonly end: number }): Promise<Readable>
}

/** @throws conflict until the file was scanned, also for its sender */
export async function openDownload(
  database: Database,
  store: ObjectStore,
  actor: Actor,
  fileId: string,
  options: { readonly thumbnail: boolean; readonly signal?: AbortSignal },
): Promise<Download> {
  const { file, path, thumbnail } = await find(database, actor, fileId)
  if (file.status !== 'completed') {
    throw new AkashiError(
      'conflict',
      file.status === 'failed' ? 'the file was rejected' : 'the file has not been scanned yet',
      {
        hint: file.status === 'failed' ? 'send another file' : 'try again in a moment',
      },
    )
  }
  const key = options.thumbnail ? thumbnail : path
  const head = key === null ? null : await store.head(key)
  if (key === null || head === null) throw new AkashiError('not_found', 'file not found')
  return {
    file,
    size: head.size,
    mimeType: options.thumbnail ? 'image/webp' : file.mimeType,
    open: (range) =>
      store.get(key, {
        ...(range === undefined ? {} : { range }),
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      }),
  }
}
