/**
 * The chat's socket, `GET /v1/chat/socket`: one JSON document a text frame. Requests carry an `id` of the client's
 * own; the response repeats it. Everything a socket can do can be done over HTTP too.
 */
import { z } from 'zod'
import { id } from '../fields.ts'
import type { ProblemDetails } from '../problem.ts'
import { type PresenceStatus, presenceStatuses } from '../vocabulary.ts'
import { newMessage, type RoomEvent } from './messages.ts'

const requestId = z.string().min(1).max(64)

export const clientFrame = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('subscribe'),
    id: requestId,
    roomId: id,
    after: z.int().min(0).optional().describe('resume: everything after this sequence number'),
  }),
  z.strictObject({ type: z.literal('unsubscribe'), id: requestId, roomId: id }),
  z.strictObject({ type: z.literal('send'), id: requestId, roomId: id, message: newMessage }),
  z.strictObject({ type: z.literal('read'), id: requestId, messageId: id }),
  z.strictObject({ type: z.literal('typing'), roomId: id }),
  z.strictObject({ type: z.literal('presence'), status: z.enum(presenceStatuses) }),
])
/** As the server reads it. */
export type ClientFrame = z.output<typeof clientFrame>

type Sent = z.input<typeof clientFrame>
type WithoutId<Frame> = Frame extends { id: string } ? Omit<Frame, 'id'> : never
/** A request before its client gives it an id. */
export type ClientRequest = WithoutId<Sent>
/** Frames that get no response. */
export type ClientNotice = Exclude<Sent, { id: string }>

export type ServerFrame =
  | {
      readonly type: 'hello'
      readonly userId: string
      readonly heartbeatMs: number
      /** False without a scanner: uploaded files stay hidden. */
      readonly scansFiles: boolean
    }
  | { readonly type: 'subscribed'; readonly roomId: string; readonly sequence: number; readonly gap: boolean }
  | { readonly type: 'event'; readonly event: RoomEvent }
  | { readonly type: 'ended'; readonly roomId: string }
  | { readonly type: 'answer'; readonly id: string; readonly result: unknown }
  | { readonly type: 'refused'; readonly id: string | null; readonly problem: ProblemDetails }
  | { readonly type: 'typing'; readonly roomId: string; readonly userId: string }
  | { readonly type: 'presence'; readonly userId: string; readonly status: PresenceStatus }
  | { readonly type: 'inbox' }
