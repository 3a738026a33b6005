import { queryOptions } from '@tanstack/react-query'
import { call } from '../../api/index.ts'

/** How much there is to be told; the first page with it. */
export const inboxQuery = queryOptions({
  queryKey: ['chat', 'inbox', 'count'],
  queryFn: ({ signal }) => call('GET /v1/chat/notifications', { query: { limit: 1 }, signal }),
})

export const invitationsQuery = queryOptions({
  queryKey: ['chat', 'inbox', 'invitations'],
  queryFn: async ({ signal }) =>
    (await call('GET /v1/chat/invitations', { signal })).invitations.filter(
      ({ status }) => status === 'pending',
    ),
})

export const preferencesQuery = queryOptions({
  queryKey: ['chat', 'preferences'],
  queryFn: ({ signal }) => call('GET /v1/chat/preferences', { signal }),
})

export const membersQuery = (roomId: string) =>
  queryOptions({
    queryKey: ['chat', 'members', roomId],
    queryFn: async ({ signal }) =>
      (await call('GET /v1/chat/rooms/{roomId}/members', { params: { roomId }, signal })).members,
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
