/** Reading rooms of others with a stated reason: `messages:admin`. */
import { z } from 'zod'
import { id, list, pageSize, text, time } from '../fields.ts'
import { MIN_REVIEW_REASON_LENGTH } from '../limits.ts'
import type { OperationTable } from '../operation.ts'
import { person } from './people.ts'

const reason = text(1_000, MIN_REVIEW_REASON_LENGTH).describe('recorded in the audit trail')

const reviewedMessage = z.object({
  id,
  author: person.nullable().describe('null: erased'),
  type: z.string(),
  content: z.string().describe('empty if deleted, and in an encrypted room, which only its members can read'),
  isEdited: z.boolean(),
  isDeleted: z.boolean(),
  isEncrypted: z.boolean(),
  createdAt: time,
})
export type ReviewedMessage = z.output<typeof reviewedMessage>

const earlierText = z.object({
  previousContent: z.string().describe('empty in an encrypted room'),
  isEncrypted: z.boolean(),
  at: time,
})
export type EarlierText = z.output<typeof earlierText>

export const reviewOperations = {
  'POST /v1/chat/rooms/{roomId}/review': {
    summary: 'Read any room, newest message first; the access and its reason are recorded',
    params: z.strictObject({ roomId: id }),
    body: z.strictObject({
      reason,
      before: z.iso
        .datetime({ offset: true })
        .optional()
        .describe('createdAt of the last message of the page before'),
      limit: pageSize,
    }),
    response: z.object({ messages: list(reviewedMessage) }),
  },
  'POST /v1/chat/messages/{messageId}/review': {
    summary:
      'Read the earlier texts of a message, even if it was deleted; the access and its reason are recorded',
    params: z.strictObject({ messageId: id }),
    body: z.strictObject({ reason }),
    response: z.object({ texts: list(earlierText) }),
  },
} as const satisfies OperationTable
