import { SOCKET_PATH } from '@akashi/contract'
import { call } from '../../api/index.ts'
import type { ChatApi } from '../model/chat-api.ts'
import type { SocketLike } from '../model/socket.ts'

/** Messages of one page of history. */
const PAGE_MESSAGES = 60

export const chatApi: ChatApi = {
  rooms: async () => (await call('GET /v1/chat/rooms')).rooms,
  room: (roomId) => call('GET /v1/chat/rooms/{roomId}', { params: { roomId } }),
  history: (roomId, edge) =>
    call('GET /v1/chat/rooms/{roomId}/messages', {
      params: { roomId },
      query: { ...edge, limit: PAGE_MESSAGES },
    }),
  presence: async (userId) => (await call('GET /v1/chat/presence', { query: { userId } })).presence,
}

export function openSocket(): SocketLike {
  const socket = new WebSocket(`${location.origin.replace(/^http/, 'ws')}${SOCKET_PATH}`)
  const like: SocketLike = {
    onmessage: null,
    onclose: null,
    send: (text) => socket.send(text),
    close: (code) => socket.close(code),
  }
  socket.onmessage = ({ data }) => like.onmessage?.({ data })
  socket.onclose = ({ code }) => like.onclose?.({ code })
  return like
}
