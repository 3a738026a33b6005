/** Files of rooms. */
import { z } from 'zod'
import { classification, cursor, id, list, newClassification, next, pageSize, time } from '../fields.ts'
import type { OperationTable } from '../operation.ts'
import { person } from './people.ts'

export const chatFile = z.object({
  id,
  roomId: id,
  messageId: id.nullable(),
  name: z.string(),
  size: z.int().describe('bytes'),
  mimeType: z.string(),
  classification,
  status: z.enum(['processing', 'completed', 'failed']),
  failureReason: z.string().nullable(),
  hasThumbnail: z.boolean(),
  width: z.int().nullable(),
  height: z.int().nullable(),
  keepsMetadata: z
    .boolean()
    .describe('a picture or video that is delivered as it was sent, possibly with location and camera data'),
})
export type ChatFile = z.output<typeof chatFile>

const byFile = z.strictObject({ fileId: id })

export const fileOperations = {
  'POST /v1/chat/rooms/{roomId}/files': {
    summary: 'Upload a file as the body of the request; its id is then sent with a message',
    params: z.strictObject({ roomId: id }),
    query: z.strictObject({ name: z.string().min(1).max(1_000) }),
    response: chatFile,
    status: 201,
  },
  'GET /v1/chat/rooms/{roomId}/files': {
    summary: 'Files that were sent to a room, newest first',
    params: z.strictObject({ roomId: id }),
    query: z.strictObject({ cursor, limit: pageSize }),
    response: z.object({
      files: list(chatFile.extend({ sender: person.nullable(), sentAt: time })),
      next,
    }),
  },
  'GET /v1/chat/files/{fileId}': { summary: 'Metadata of a file', params: byFile, response: chatFile },
  'PUT /v1/chat/files/{fileId}/classification': {
    summary:
      'Classify a file: its uploader may raise the classification, an owner or admin of the room may set any',
    params: byFile,
    body: newClassification,
  },
  'GET /v1/chat/files/{fileId}/content': {
    summary: 'The content of a file, or a range of it',
    params: byFile,
    response: z.unknown(),
  },
  'GET /v1/chat/files/{fileId}/thumbnail': {
    summary: 'The thumbnail of an image',
    params: byFile,
    response: z.unknown(),
  },
} as const satisfies OperationTable
