import { z } from 'zod'
import * as chat from '../../../chat/index.ts'
import { route } from '../../route.ts'
import type { App } from '../../schema.ts'
import type { Services } from '../../services.ts'

const tags = ['chat']
const byRoom = z.strictObject({ roomId: z.guid() })
const byMember = byRoom.extend({ userId: z.guid() })
const byInvitation = z.strictObject({ invitationId: z.guid() })
const nothing = z.null()
const invitations = z.object({ invitations: z.array(chat.invitationShape) })

/** Who is in a room, and who was asked to come. */
export function memberRoutes(app: App, { app: database, chat: { bus } }: Services): void {
  route(app, {
    method: 'GET',
    url: '/rooms/:roomId/members',
    access: { signedIn: 'person', scope: 'any' },
    schema: {
      summary: 'Members of a room',
      tags,
      params: byRoom,
      response: { 200: z.object({ members: z.array(chat.memberShape) }) },
    },
    handle: async (request) => ({
      members: [...(await chat.listMembers(database, request.actor, request.params.roomId))],
    }),
  })
  route(app, {
    method: 'PATCH',
    url: '/rooms/:roomId/members/:userId',
    access: { signedIn: 'person', scope: 'any' },
    schema: {
      summary: 'Change a member’s role',
      tags,
      params: byMember,
      body: z.strictObject({ role: z.enum(chat.roomRoles) }),
      response: { 204: nothing },
    },
    handle: async (request, reply) => {
      const { roomId, userId } = request.params
      await chat.setMemberRole(database, request.actor, roomId, userId, request.body.role)
      bus.announce({ about: 'room', roomId })
      return reply.status(204).send(null)
    },
  })
  route(app, {
    method: 'DELETE',
    url: '/rooms/:roomId/members/:userId',
    access: { signedIn: 'person', scope: 'any' },
    schema: { summary: 'Remove a member', tags, params: byMember, response: { 204: nothing } },
    handle: async (request, reply) => {
      const { roomId, userId } = request.params
      await chat.removeMember(database, request.actor, roomId, userId)
      bus.announce({ about: 'room', roomId })
      bus.announce({ about: 'person', userId })
      return reply.status(204).send(null)
    },
  })
  route(app, {
    method: 'GET',
    url: '/rooms/:roomId/invitations',
    access: { signedIn: 'person', scope: 'any' },
    schema: {
      summary: 'Invitations of a room that wait',
      tags,
      params: byRoom,
      response: { 200: invitations },
    },
    handle: async (request) => ({
      invitations: [...(await chat.roomInvitations(database, request.actor, request.params.roomId))],
    }),
  })
  route(app, {
    method: 'POST',
    url: '/rooms/:roomId/invitations',
    access: { signedIn: 'person', scope: 'any' },
    schema: {
      summary: 'Invite somebody',
      tags,
      params: byRoom,
      body: z.strictObject({ userId: z.guid() }),
      response: { 201: z.object({ id: z.guid() }) },
    },
    handle: async (request, reply) => {
      const id = await chat.invite(database, request.actor, request.params.roomId, request.body.userId)
      bus.announce({ about: 'person', userId: request.body.userId })
      return reply.status(201).send({ id })
    },
  })
  route(app, {
    method: 'GET',
    url: '/invitations',
    access: { signedIn: 'person', scope: 'any' },
    schema: { summary: 'Invitations that wait for me', tags, response: { 200: invitations } },
    handle: async (request) => ({ invitations: [...(await chat.myInvitations(database, request.actor))] }),
  })
  for (const [path, summary, accept] of [
    ['accept', 'Accept an invitation', true],
    ['decline', 'Decline an invitation', false],
  ] as const) {
    route(app, {
      method: 'POST',
      url: `/invitations/:invitationId/${path}`,
      access: { signedIn: 'person', scope: 'any' },
      schema: {
        summary,
        tags,
        params: byInvitation,
        response: { 200: z.object({ roomId: z.guid() }) },
      },
      handle: async (request) => {
        const roomId = await chat.answerInvitation(
          database,
          request.actor,
          request.params.invitationId,
          accept,
        )
        bus.announce({ about: 'room', roomId })
        return { roomId }
      },
    })
  }
  route(app, {
    method: 'DELETE',
    url: '/invitations/:invitationId',
    access: { signedIn: 'person', scope: 'any' },
    schema: {
      summary: 'Take an invitation back',
      tags,
      params: byInvitation,
      response: { 204: nothing },
    },
    handle: async (request, reply) => {
      await chat.revokeInvitation(database, request.actor, request.params.invitationId)
      return reply.status(204).send(null)
    },
  })
}
