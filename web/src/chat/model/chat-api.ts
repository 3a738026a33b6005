import type { HistoryPage, Presence, QueryOf, Room } from '@akashi/contract'

/** What of HTTP the client itself needs; every method rejects with Problem. */
export interface ChatApi {
  rooms(): Promise<readonly Room[]>
  room(roomId: string): Promise<Room>
  history(roomId: string, edge: HistoryEdge): Promise<HistoryPage>
  presence(userIds: readonly string[]): Promise<readonly Presence[]>
}

export type HistoryEdge = Omit<QueryOf<'GET /v1/chat/rooms/{roomId}/messages'>, 'limit'>
