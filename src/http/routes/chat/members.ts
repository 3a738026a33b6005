import * as chat from '../../../chat/index.ts'
import { operation } from '../../operation.ts'
import type { App } from '../../schema.ts'
import type { Services } from '../../services.ts'
import { notifyOwnDevices } from './own-devices.ts'

/** Members and invitations of rooms. */
export function memberRoutes(
  app: App,
  { app: database, chat: { bus }, roomSecrets: secrets }: Services,
): void {
  operation(app, 'GET /v1/chat/rooms/{roomId}/members', {
    access: { permission: 'rooms:read', by: 'person' },
    handle: async (request) => ({
      members: await chat.listMembers(database, request.actor, request.params.roomId),
    }),
  })
  operation(app, 'PATCH /v1/chat/rooms/{roomId}/members/{userId}', {
    access: { permission: 'rooms:write', by: 'person' },
    handle: async (request) => {
      const { roomId, userId } = request.params
      await chat.setMemberRole(database, request.actor, roomId, userId, request.body.role)
      bus.announce({ about: 'room', roomId })
    },
  })
  operation(app, 'DELETE /v1/chat/rooms/{roomId}/members/{userId}', {
    access: { permission: 'rooms:write', by: 'person' },
    handle: async (request) => {
      const { roomId, userId } = request.params
      await chat.removeMember(database, request.actor, roomId, userId)
      bus.announce({ about: 'room', roomId })
      bus.announce({ about: 'person', userId })
    },
  })
  for (const [method, banned] of [
    ['PUT', true],
    ['DELETE', false],
  ] as const) {
    operation(app, `${method} /v1/chat/rooms/{roomId}/bans/{userId}`, {
      access: { permission: 'rooms:write', by: 'person' },
      handle: async ({ actor, params: { roomId, userId } }) => {
        await chat.banMember(database, actor, roomId, userId, banned)
        bus.announce({ about: 'room', roomId })
        bus.announce({ about: 'person', userId })
      },
    })
  }
  operation(app, 'PUT /v1/chat/rooms/{roomId}/owner', {
    access: { permission: 'rooms:admin', by: 'person', stepUp: true, reason: true },
    handle: async ({ actor, params: { roomId }, body: { userId, reason } }) => {
      await chat.transferRoom(database, actor, roomId, userId, reason)
      bus.announce({ about: 'room', roomId })
      bus.announce({ about: 'person', userId })
    },
  })
  operation(app, 'GET /v1/chat/rooms/{roomId}/invitations', {
    access: { permission: 'rooms:read', by: 'person' },
    handle: async (request) => ({
      invitations: await chat.roomInvitations(database, request.actor, request.params.roomId),
    }),
  })
  operation(app, 'POST /v1/chat/rooms/{roomId}/invitations', {
    access: { permission: 'rooms:write', by: 'person' },
    budget: { requests: 120, seconds: 60 },
    handle: async (request) => {
      const id = await secrets.invite(request.actor, request.params.roomId, request.body.userId)
      bus.announce({ about: 'person', userId: request.body.userId })
      return { id }
    },
  })
  operation(app, 'GET /v1/chat/invitations', {
    access: { permission: 'rooms:read', by: 'person' },
    handle: async (request) => ({ invitations: await chat.myInvitations(database, request.actor) }),
  })
  for (const [answer, accept] of [
    ['accept', true],
    ['decline', false],
  ] as const) {
    operation(app, `POST /v1/chat/invitations/{invitationId}/${answer}`, {
      access: { permission: 'rooms:read', by: 'person' },
      handle: async (request) => {
        const { invitationId } = request.params
        const roomId = await chat.answerInvitation(database, request.actor, invitationId, accept)
        bus.announce({ about: 'room', roomId })
        notifyOwnDevices(bus, request.actor)
        return { roomId }
      },
    })
  }
  operation(app, 'DELETE /v1/chat/invitations/{invitationId}', {
    access: { permission: 'rooms:write', by: 'person' },
    handle: async (request) => {
      await chat.revokeInvitation(database, request.actor, request.params.invitationId)
    },
  })
}
