/** The worker's inspection of uploaded files: scan, detect the type, clean, or reject. */
import { buffer } from 'node:stream/consumers'
import { AkashiError } from '../../foundation/index.ts'
import type { ObjectStore } from '../../object-store/index.ts'
import type { Actor, Database } from '../../postgres/index.ts'
import { recordEvent } from '../../security/index.ts'
import { contentType, HEAD_BYTES, isShownImage } from './content.ts'
import { cleanImage, MAX_IMAGE_BYTES } from './images.ts'
import type { Scanner } from './scanner.ts'
import { isZipBomb } from './zip.ts'

/** The start of every ZIP file, including office documents. */
const ZIP_SIGNATURE = Buffer.from('PK\u0003\u0004')

/** Files per round. */
const FILES_AT_ONCE = 10

export interface InspectionParts {
  /** Of the role `worker`. */
  readonly worker: Database
  readonly store: ObjectStore
  /** Undefined: there is no scanner, and files stay in quarantine. */
  readonly scanner: Scanner | undefined
  readonly signal: AbortSignal
}

interface Waiting {
  readonly id: string
  readonly userId: string
  readonly path: string
  readonly declared: string
  readonly size: number
}

type Outcome = Readonly<Record<string, string | number | boolean>>

const failed = (reason: string, scanned = false): Outcome => ({
  upload_status: 'failed',
  failure_reason: reason,
  virus_scanned: scanned,
})

/**
 * Inspects uploaded files, oldest first, and returns how many. Without a scanner it inspects none. If the scanner
 * or the store is unavailable it fails, and the files stay in quarantine, visible to nobody.
 */
export async function inspectUploads(parts: InspectionParts, actor: Actor): Promise<number> {
  const { worker, scanner, signal } = parts
  if (scanner === undefined) return 0
  const { rows } = await worker.transaction(actor, (session) =>
    session.query<Waiting>(
      `select id, user_id as "userId", file_path as path, mime_type as declared, file_size::float8 as size from akashi_chat.file_uploads
       where upload_status = 'processing' and received_at is not null and not is_deleted order by received_at limit ${FILES_AT_ONCE}`,
    ),
  )
  for (const upload of rows) {
    signal.throwIfAborted()
    await finish(parts, actor, upload, await inspect(parts, scanner, upload))
  }
  return rows.length
}

async function inspect(
  { store, signal }: InspectionParts,
  scanner: Scanner,
  upload: Waiting,
): Promise<Outcome> {
  const verdict = await scanner.scan(await store.get(upload.path, { signal }), signal)
  if (!verdict.clean) return failed(`infected: ${verdict.threat}`.slice(0, 100), true)
  const head = await buffer(await store.get(upload.path, { range: { start: 0, end: HEAD_BYTES }, signal }))
  const mimeType = await contentType(head)
  // An image of another type than declared is accepted as what it is; a file declared as an image must be one.
  if (isShownImage(upload.declared) && !mimeType.startsWith('image/')) return failed('type_mismatch', true)
  const read = async (start: number, end: number) =>
    await buffer(await store.get(upload.path, { range: { start, end }, signal }))
  if (head.subarray(0, 4).equals(ZIP_SIGNATURE) && (await isZipBomb(read, upload.size)))
    return failed('archive_bomb', true)
  if (!isShownImage(mimeType)) return { upload_status: 'completed', virus_scanned: true, mime_type: mimeType }
  if (upload.size > MAX_IMAGE_BYTES) return failed('image_too_large', true)
  const image = await cleanImage(await buffer(await store.get(upload.path, { signal })), mimeType).catch(
    (error: unknown) => {
      if (error instanceof AkashiError && error.code === 'invalid_input') return null
      throw error
    },
  )
  if (image === null) return failed('image_damaged', true)
  const path = upload.path.replace(/received$/, 'content')
  const thumbnail = upload.path.replace(/received$/, 'thumbnail')
  // An interrupted round may have stored the same image, perhaps with other bytes.
  await store.delete(path)
  const { sha256 } = await store.put(path, image.bytes, { signal })
  await store.delete(thumbnail)
  await store.put(thumbnail, image.thumbnail, { signal })
  return {
    upload_status: 'completed',
    virus_scanned: true,
    mime_type: mimeType,
    file_path: path,
    file_size: image.bytes.byteLength,
    sha256,
    thumbnail_path: thumbnail,
    width: image.width,
    height: image.height,
  }
}

async function finish(
  { worker, store }: InspectionParts,
  actor: Actor,
  upload: Waiting,
  outcome: Outcome,
): Promise<void> {
  await worker.transaction(actor, async (session) => {
    await session.query('select akashi_chat.finish_upload($1, $2)', [upload.id, JSON.stringify(outcome)])
    const reason = outcome['failure_reason']
    if (typeof reason === 'string' && reason.startsWith('infected')) {
      await recordEvent(session, {
        event_type: 'malware_detected',
        user_id: upload.userId,
        resource_type: 'file',
        resource_id: upload.id,
        event_details: { reason },
      })
    }
  })
  // The received file is deleted if a cleaned one replaces it, or if it was rejected.
  if (outcome['upload_status'] === 'failed' || outcome['file_path'] !== undefined)
    await store.delete(upload.path)
}

/** Removes the content of deleted files from the store and returns the number of files. */
export async function removeDeletedFiles(
  parts: Pick<InspectionParts, 'worker' | 'store' | 'signal'>,
  actor: Actor,
): Promise<number> {
  const { worker, store, signal } = parts
  const { rows } = await worker.transaction(actor, (session) =>
    session.query<{ id: string; path: string; thumbnail: string | null }>(
      `select id, file_path as path, thumbnail_path as thumbnail from akashi_chat.file_uploads
       where is_deleted and removed_at is null and not akashi_chat.is_held()
         and not exists (select from akashi_auth.held_users h where h.id = user_id) order by updated_at limit 100`,
    ),
  )
  for (const { id, path, thumbnail } of rows) {
    signal.throwIfAborted()
    await store.delete(path)
    if (thumbnail !== null) await store.delete(thumbnail)
    await worker.transaction(actor, (session) => session.query('select akashi_chat.file_removed($1)', [id]))
  }
  return rows.length
}
