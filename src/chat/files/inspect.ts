/** The worker's inspection of uploaded files: scan, detect the type, clean, or reject. */
import { buffer } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
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
/** Milliseconds between two checks for further files while pictures are decoded. */
const LOOK_AGAIN_MS = 1_000

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
 * Inspects uploaded files until none is left, and returns how many. Without a scanner it inspects none. Pictures, which
 * may take a minute each, are decoded one after the other beside the rest, so that no other file waits for them. A file
 * that cannot be inspected stays in quarantine, visible to nobody, and holds up no other: the order is random. If none
 * can, because the scanner or the store is unavailable, it fails.
 */
export async function inspectUploads(parts: InspectionParts, actor: Actor): Promise<number> {
  const { scanner, signal } = parts
  if (scanner === undefined) return 0
  const taken = new Set<string>()
  const failures: unknown[] = []
  let inspected = 0
  let decoding = 0
  let pictures = Promise.resolve()
  const settle = async (upload: Waiting, outcome: () => Promise<Outcome>) => {
    try {
      signal.throwIfAborted()
      await finish(parts, actor, upload, await outcome())
      inspected += 1
    } catch (error) {
      failures.push(error)
    }
  }
  try {
    for (;;) {
      signal.throwIfAborted()
      const uploads = await waitingFiles(parts, actor, [...taken])
      for (const upload of uploads) {
        taken.add(upload.id)
        const found = await inspect(parts, scanner, upload).catch((error: unknown) => {
          failures.push(error)
          return null
        })
        if (found === null) continue
        if ('outcome' in found) {
          await settle(upload, async () => found.outcome)
          continue
        }
        decoding += 1
        pictures = pictures
          .then(() => settle(upload, () => cleaned(parts, upload, found.picture)))
          .then(() => {
            decoding -= 1
          })
      }
      if (uploads.length > 0) continue
      if (decoding === 0) break
      await Promise.race([pictures, delay(LOOK_AGAIN_MS)])
    }
  } finally {
    await pictures
  }
  if (failures.length > 0 && inspected === 0) throw failures[0]
  return inspected
}

async function waitingFiles(
  { worker }: InspectionParts,
  actor: Actor,
  without: readonly string[],
): Promise<readonly Waiting[]> {
  const { rows } = await worker.transaction(actor, (session) =>
    session.query<Waiting>(
      `select id, user_id as "userId", file_path as path, mime_type as declared, file_size::float8 as size from akashi_chat.file_uploads
       where upload_status = 'processing' and received_at is not null and not is_deleted and id <> all ($1::uuid[])
       order by random() limit ${FILES_AT_ONCE}`,
      [without],
    ),
  )
  return rows
}

/** What becomes of a file, or the type of a picture that has yet to be cleaned. */
async function inspect(
  { store, signal }: InspectionParts,
  scanner: Scanner,
  upload: Waiting,
): Promise<{ readonly outcome: Outcome } | { readonly picture: string }> {
  const rejected = (reason: string, scanned?: boolean) => ({ outcome: failed(reason, scanned) })
  const verdict = await scanner.scan(await store.get(upload.path, { signal }), signal)
  if (!verdict.clean && 'tooLarge' in verdict) return rejected('too_large_to_scan')
  if (!verdict.clean) return rejected(`infected: ${verdict.threat}`.slice(0, 100), true)
  const head = await buffer(await store.get(upload.path, { range: { start: 0, end: HEAD_BYTES }, signal }))
  const mimeType = await contentType(head)
  // An image of another type than declared is accepted as what it is; a file declared as an image must be one.
  if (isShownImage(upload.declared) && !mimeType.startsWith('image/')) return rejected('type_mismatch', true)
  const read = async (start: number, end: number) =>
    await buffer(await store.get(upload.path, { range: { start, end }, signal }))
  if (head.subarray(0, 4).equals(ZIP_SIGNATURE) && (await isZipBomb(read, upload.size)))
    return rejected('archive_bomb', true)
  if (!isShownImage(mimeType))
    return { outcome: { upload_status: 'completed', virus_scanned: true, mime_type: mimeType } }
  return upload.size > MAX_IMAGE_BYTES ? rejected('image_too_large', true) : { picture: mimeType }
}

async function cleaned(
  { store, signal }: InspectionParts,
  upload: Waiting,
  mimeType: string,
): Promise<Outcome> {
  const image = await cleanImage(await buffer(await store.get(upload.path, { signal })), mimeType, {
    signal,
  }).catch((error: unknown) => {
    if (error instanceof AkashiError && error.code === 'invalid_input') return null
    throw error
  })
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
