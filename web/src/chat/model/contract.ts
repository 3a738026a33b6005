/** What the server's chat speaks: shapes of its HTTP contract, and the frames of its socket. */
import type { Contract } from '../../api/contract.ts'
import { Problem } from '../../api/problem.ts'

type Answer<Operation extends keyof Contract> = Contract[Operation]['answer']

export type Room = Answer<'GET /v1/chat/rooms/{roomId}'>
export type Message = Answer<'GET /v1/chat/messages/{messageId}'>
export type Person = NonNullable<Message['author']>
export type ChatFile = NonNullable<Message['file']>
export type Member = Answer<'GET /v1/chat/rooms/{roomId}/members'>['members'][number]
export type Notification = Answer<'GET /v1/chat/notifications'>['notifications'][number]
export type Preferences = Answer<'GET /v1/chat/preferences'>
export type DirectoryRoom = Answer<'GET /v1/chat/directory'>['rooms'][number]
export type RoomEvent = Answer<'GET /v1/chat/rooms/{roomId}/events'>['events'][number]
/** A page of history, oldest first. */
export type HistoryPage = Answer<'GET /v1/chat/rooms/{roomId}/messages'>
export type NewMessage = Contract['POST /v1/chat/rooms/{roomId}/messages']['body']
export type Presence = Answer<'GET /v1/chat/presence'>['presence'][number]
export type PresenceStatus = Presence['status']

/** Characters (code points) of a message, of a room's name and of its description; bytes of a file. */
export const limits = {
  content: 4_000,
  roomName: 100,
  description: 2_000,
  roomMembers: 1_000,
  fileBytes: 104_857_600,
  unreadCounted: 100,
  watchedPeople: 200,
} as const

export type ClientRequest =
  | { readonly type: 'subscribe'; readonly roomId: string; readonly after?: number }
  | { readonly type: 'unsubscribe'; readonly roomId: string }
  | { readonly type: 'send'; readonly roomId: string; readonly message: NewMessage }
  | { readonly type: 'read'; readonly messageId: string }

/** Frames that nobody answers. */
export type ClientWord =
  | { readonly type: 'typing'; readonly roomId: string }
  | { readonly type: 'presence'; readonly status: PresenceStatus }

export type ServerFrame =
  | { readonly type: 'hello'; readonly userId: string; readonly heartbeatMs: number }
  | { readonly type: 'subscribed'; readonly roomId: string; readonly sequence: number; readonly gap: boolean }
  | { readonly type: 'event'; readonly event: RoomEvent }
  | { readonly type: 'ended'; readonly roomId: string }
  | { readonly type: 'answer'; readonly id: string; readonly result: unknown }
  | { readonly type: 'refused'; readonly id: string | null; readonly problem: RefusalFrame }
  | { readonly type: 'typing'; readonly roomId: string; readonly userId: string }
  | { readonly type: 'presence'; readonly userId: string; readonly status: PresenceStatus }
  | { readonly type: 'inbox' }

interface RefusalFrame {
  readonly type: string
  readonly status: number
  readonly detail: string
}

/** Close codes of the socket. */
export const closeCodes = { sessionEnded: 4001 } as const

/** What of HTTP the client itself needs; every method rejects with {@link Problem}. */
export interface ChatApi {
  rooms(): Promise<readonly Room[]>
  room(roomId: string): Promise<Room>
  history(roomId: string, edge: HistoryEdge): Promise<HistoryPage>
  presence(userIds: readonly string[]): Promise<readonly Presence[]>
}

export interface HistoryEdge {
  readonly before?: string
  readonly after?: string
  readonly around?: string
}

export function refusal({ type, status, detail }: RefusalFrame): Problem {
  return new Problem({ code: type.split(':').at(-1) ?? '', status, detail })
}

/** It is not known whether the request arrived. */
export function unreachable(detail = 'the server cannot be reached'): Problem {
  return new Problem({ code: 'network', status: 0, detail })
}

/** Nothing about the request is wrong: the same one may succeed later. */
export function mayPass(error: unknown): boolean {
  return !(error instanceof Problem) || error.status === 0 || error.status === 429 || error.status >= 500
}
