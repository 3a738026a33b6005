/** Pictures of people. */
import { z } from 'zod'
import { id } from '../fields.ts'
import type { OperationTable } from '../operation.ts'

export const avatarOperations = {
  'PUT /v1/chat/avatar': {
    summary: 'Replace your picture with the image in the body of the request',
    description: 'The image is scanned where a scanner is set up, decoded, cut to a square and re-encoded.',
    response: z.object({ avatarUrl: z.string().describe('a path on this server') }),
  },
  'DELETE /v1/chat/avatar': { summary: 'Remove your picture' },
  'GET /v1/chat/avatars/{avatarId}': {
    summary: 'The picture of a person, as their avatarUrl names it',
    params: z.strictObject({ avatarId: id }),
    response: z.unknown(),
  },
} as const satisfies OperationTable
