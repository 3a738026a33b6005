/**
 * The chat's socket: one JSON document a text frame. Requests carry an `id` of the client's own; the answer
 * repeats it. Everything a socket can do can be done over HTTP too.
 */
import { z } from 'zod'
import { newMessage, presenceStatuses } from '../../chat/index.ts'
import type { problemSchema } from '../problem.ts'

const requestId = z.string().min(1).max(64)
const roomId = z.guid()

export const clientFrame = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('subscribe'),
    id: requestId,
    roomId,
    after: z.int().min(0).optional().describe('resume: everything after this sequence number'),
  }),
  z.strictObject({ type: z.literal('unsubscribe'), id: requestId, roomId }),
  z.strictObject({ type: z.literal('send'), id: requestId, roomId, message: newMessage }),
  z.strictObject({ type: z.literal('read'), id: requestId, messageId: z.guid() }),
  z.strictObject({ type: z.literal('typing'), roomId }),
  z.strictObject({ type: z.literal('presence'), status: z.enum(presenceStatuses) }),
])
export type ClientFrame = z.output<typeof clientFrame>

/** What the server sends, apart from events, whose JSON is written once for everybody. */
export type ServerFrame =
  | { readonly type: 'hello'; readonly userId: string; readonly heartbeatMs: number }
  | { readonly type: 'subscribed'; readonly roomId: string; readonly sequence: number; readonly gap: boolean }
  | { readonly type: 'ended'; readonly roomId: string }
  | { readonly type: 'answer'; readonly id: string; readonly result: unknown }
  | { readonly type: 'refused'; readonly id: string | null; readonly problem: z.output<typeof problemSchema> }
  | { readonly type: 'typing'; readonly roomId: string; readonly userId: string }
  | { readonly type: 'presence'; readonly userId: string; readonly status: string }
  | { readonly type: 'inbox' }
