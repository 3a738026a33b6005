import type { Readable } from 'node:stream'
import type { ChatFile, Classification, ResponseOf } from '@akashi/contract'
import { AkashiError, decodeCursor, encodeCursor, given } from '../../foundation/index.ts'
import type { ObjectStore } from '../../object-store/index.ts'
import type { Actor, Database } from '../../postgres/index.ts'
import { cursorTime, fileJson, personJson, placeInTime, timeJson, timeOfCursor } from '../json-sql.ts'

/** @throws not_found also for a file that the caller may not see */
export async function readFile(database: Database, actor: Actor, fileId: string): Promise<ChatFile> {
  return (await find(database, actor, fileId)).file
}

/** Files that were sent to a room, newest first. */
export async function listFiles(
  database: Database,
  actor: Actor,
  roomId: string,
  query: { readonly cursor?: string | undefined; readonly limit: number },
): Promise<ResponseOf<'GET /v1/chat/rooms/{roomId}/files'>> {
  const [before, id] = query.cursor === undefined ? [] : decodeCursor(query.cursor, placeInTime)
  const { rows } = await database.transaction(
    actor,
    async (session) => {
      const { rows: rooms } = await session.query(
        'select from akashi_chat.rooms r where r.id = $1 and r.id = any ((select akashi_chat.my_rooms())::uuid[])',
        [roomId],
      )
      if (rooms.length === 0) throw new AkashiError('not_found', 'room not found')
      return await session.query<{ file: SentFile; at: string }>(
        `select ${fileJson('f')} || jsonb_build_object('sender', ${personJson('f.user_id')}, 'sentAt', ${timeJson('f.created_at')}) as file,
           ${cursorTime('f.created_at')} as at
         from akashi_chat.file_uploads f
         where f.room_id = $1 and f.message_id is not null and not f.is_deleted
           and ($2::bigint is null or (f.created_at, f.id) < (${timeOfCursor('$2')}, $3))
         order by f.created_at desc, f.id desc limit $4`,
        [roomId, before ?? null, id ?? null, query.limit],
      )
    },
    { readOnly: true },
  )
  const last = rows.at(-1)
  const next = rows.length < query.limit || last === undefined ? null : encodeCursor([last.at, last.file.id])
  return { files: rows.map(({ file }) => file), next }
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

type SentFile = ResponseOf<'GET /v1/chat/rooms/{roomId}/files'>['files'][number]

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
        ...given({ range }),
        ...given({ signal: options.signal }),
      }),
  }
}
