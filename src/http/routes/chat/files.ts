import { Readable } from 'node:stream'
import { MAX_FILE_BYTES } from '@akashi/contract'
import type { FastifyReply, FastifyRequest } from 'fastify'
import * as chat from '../../../chat/index.ts'
import { AkashiError } from '../../../foundation/index.ts'
import { operation } from '../../operation.ts'
import { callerSignal } from '../../plugins/caller-signal.ts'
import { rawBody, withRawBodies } from '../../raw-body.ts'
import type { App } from '../../schema.ts'
import type { Services } from '../../services.ts'

/** Milliseconds for the transfer of the largest file, at 2 Mbit/s. */
const TRANSFER_MS = 420_000
/** Free bytes of the disk that uploads must leave: the database and its WAL share it. */
const MIN_FREE_BYTES = 2_147_483_648

/** Files of rooms: uploaded as streams, scanned by the worker, downloaded by members. */
export function fileRoutes(app: App, { app: database, store, freeBytes }: Services): void {
  withRawBodies(app, (uploads) => {
    operation(uploads, 'POST /v1/chat/rooms/{roomId}/files', {
      access: { permission: 'rooms:write', by: 'person' },
      budget: { requests: 120, seconds: 60 },
      bodyLimit: MAX_FILE_BYTES,
      handlerTimeout: TRANSFER_MS,
      handle: async (request, reply) => {
        const bytes = rawBody(request, 'file')
        const declared = Number(request.headers['content-length'] ?? MAX_FILE_BYTES)
        if (declared > MAX_FILE_BYTES) {
          // The rest of the body is not read.
          reply.header('connection', 'close')
          throw new AkashiError('too_large', `a file can have at most ${MAX_FILE_BYTES} bytes`, {
            hint: 'split the file, or send a link to it',
          })
        }
        const free = await freeBytes()
        if (free !== null && free - declared < MIN_FREE_BYTES) {
          reply.header('connection', 'close')
          request.log.error({ freeBytes: free }, 'files are refused: the disk is nearly full')
          throw new AkashiError('unavailable', 'the server has no space for files at the moment', {
            hint: 'try again later; the operator of the server has to free space',
          })
        }
        return await chat.uploadFile(database, store, request.actor, request.params.roomId, {
          name: request.query.name,
          mimeType: request.headers['content-type'] ?? 'application/octet-stream',
          size: declared,
          bytes,
          signal: callerSignal(reply),
        })
      },
    })
  })
  operation(app, 'GET /v1/chat/rooms/{roomId}/files', {
    access: { permission: 'rooms:read', by: 'person' },
    handle: ({ actor, params, query }) => chat.listFiles(database, actor, params.roomId, query),
  })
  operation(app, 'GET /v1/chat/files/{fileId}', {
    access: { permission: 'rooms:read', by: 'person' },
    handle: async (request) => await chat.readFile(database, request.actor, request.params.fileId),
  })
  operation(app, 'PUT /v1/chat/files/{fileId}/classification', {
    access: { permission: 'rooms:write', by: 'person' },
    handle: ({ actor, params, body }) =>
      chat.classifyFile(database, actor, params.fileId, body.classification),
  })
  for (const [part, thumbnail] of [
    ['content', false],
    ['thumbnail', true],
  ] as const) {
    operation(app, `GET /v1/chat/files/{fileId}/${part}`, {
      access: { permission: 'rooms:read', by: 'person' },
      handlerTimeout: TRANSFER_MS,
      handle: async (request, reply) => {
        const download = await chat.openDownload(database, store, request.actor, request.params.fileId, {
          thumbnail,
          signal: callerSignal(reply),
        })
        return await send(request, reply, download, thumbnail)
      },
    })
  }
}

const singleRange = /^bytes=(\d{0,15})-(\d{0,15})$/

/** The requested range, RFC 9110 14.2: undefined for the whole file, null for an unsatisfiable range. */
function rangeOf(
  header: string | undefined,
  size: number,
): { start: number; end: number } | undefined | null {
  const [, first, last] = singleRange.exec(header ?? '') ?? []
  if (first === undefined || last === undefined || (first === '' && last === '')) return undefined
  if (first === '') {
    const length = Math.min(Number(last), size)
    return length === 0 ? null : { start: size - length, end: size }
  }
  const start = Number(first)
  const end = last === '' ? size : Math.min(Number(last) + 1, size)
  return start < end ? { start, end } : null
}

async function send(
  request: FastifyRequest,
  reply: FastifyReply,
  download: chat.Download,
  thumbnail: boolean,
) {
  const { file, size, mimeType } = download
  const etag = `"${file.id}${thumbnail ? '-thumbnail' : ''}"`
  if (request.headers['if-none-match'] === etag) {
    return reply.code(304).header('cache-control', 'private, no-cache').header('etag', etag).send()
  }
  const range = rangeOf(request.headers.range, size)
  // Only images that were decoded and re-encoded are shown inline; everything else is a download, and the
  // policy below keeps it from running scripts even if a browser displayed it.
  const inline = thumbnail || chat.isShownImage(mimeType)
  reply
    .header('content-type', inline ? mimeType : 'application/octet-stream')
    .header(
      'content-disposition',
      `${inline ? 'inline' : 'attachment'}; filename*=UTF-8''${encodeName(file.name)}`,
    )
    .header('content-security-policy', "default-src 'none'; sandbox")
    .header('x-content-type-options', 'nosniff')
    // Revalidated, so that former members no longer see files that their browser has cached.
    .header('cache-control', 'private, no-cache')
    .header('etag', etag)
    .header('accept-ranges', 'bytes')
  if (range === null) {
    return reply.code(416).header('content-range', `bytes */${size}`).send(Readable.from([]))
  }
  const length = range === undefined ? size : range.end - range.start
  reply.header('content-length', length)
  if (range !== undefined) {
    reply.code(206).header('content-range', `bytes ${range.start}-${range.end - 1}/${size}`)
  }
  return reply.send(await download.open(range))
}

/** RFC 8187: percent-encoded UTF-8, including the few characters that encodeURIComponent does not encode. */
function encodeName(name: string): string {
  return encodeURIComponent(name).replaceAll(
    /['()*]/g,
    (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}
