/** What the chat reads over HTTP. */
import { queryOptions } from '@tanstack/react-query'
import { call } from '../../api/index.ts'

/** The beginning of every key about invitations and notifications. */
export const inboxKey = ['chat', 'inbox'] as const

/** How many notifications are unread. */
export const unreadQuery = queryOptions({
  queryKey: [...inboxKey, 'unread'],
  queryFn: async ({ signal }) =>
    (await call('GET /v1/chat/notifications', { query: { limit: 1 }, signal })).unread,
})

export const invitationsQuery = queryOptions({
  queryKey: [...inboxKey, 'invitations'],
  queryFn: async ({ signal }) => (await call('GET /v1/chat/invitations', { signal })).invitations,
})

/** The beginning of the key of saved messages. */
export const savedKey = ['chat', 'saved'] as const

export const pinsQuery = (roomId: string) =>
  queryOptions({
    queryKey: ['chat', 'pins', roomId],
    queryFn: async ({ signal }) =>
      (await call('GET /v1/chat/rooms/{roomId}/pins', { params: { roomId }, signal })).messages,
  })

export const membersQuery = (roomId: string) =>
  queryOptions({
    queryKey: ['chat', 'members', roomId],
    queryFn: async ({ signal }) =>
      (await call('GET /v1/chat/rooms/{roomId}/members', { params: { roomId }, signal })).members,
  })

/** Open invitations to a room. */
export const roomInvitationsQuery = (roomId: string) =>
  queryOptions({
    queryKey: ['chat', 'room-invitations', roomId],
    queryFn: async ({ signal }) =>
      (await call('GET /v1/chat/rooms/{roomId}/invitations', { params: { roomId }, signal })).invitations,
  })

export const peopleQuery = (q: string, roomId?: string) =>
  queryOptions({
    queryKey: ['chat', 'people', q, roomId],
    queryFn: async ({ signal }) =>
      (
        await call('GET /v1/chat/people', {
          query: { q, limit: 20, ...(roomId === undefined ? {} : { roomId }) },
          signal,
        })
      ).people,
  })
