import * as chat from '../../../chat/index.ts'
import { operation } from '../../operation.ts'
import type { App } from '../../schema.ts'
import type { Services } from '../../services.ts'
import { notifyOwnDevices } from './own-devices.ts'

/** Pins of rooms, saved messages and favourite rooms. */
export function keptRoutes(app: App, { app: database, chat: { bus }, roomSecrets: secrets }: Services): void {
  operation(app, 'GET /v1/chat/rooms/{roomId}/pins', {
    access: { permission: 'rooms:read', by: 'person' },
    handle: async ({ actor, params }) => ({
      messages: await secrets.messages(actor, await chat.listPins(database, actor, params.roomId)),
    }),
  })
  operation(app, 'GET /v1/chat/saved', {
    access: { permission: 'rooms:read', by: 'person' },
    handle: async ({ actor, query }) => {
      const page = await chat.listSaved(database, actor, query)
      return { ...page, messages: await secrets.messages(actor, page.messages) }
    },
  })
  for (const [method, wanted] of [
    ['PUT', true],
    ['DELETE', false],
  ] as const) {
    operation(app, `${method} /v1/chat/messages/{messageId}/pin`, {
      access: { permission: 'rooms:write', by: 'person' },
      handle: async ({ actor, params }) => {
        const roomId = await chat.pinMessage(database, actor, params.messageId, wanted)
        bus.announce({ about: 'room', roomId })
      },
    })
    operation(app, `${method} /v1/chat/messages/{messageId}/saved`, {
      access: { permission: 'rooms:read', by: 'person' },
      handle: async ({ actor, params }) => {
        await chat.saveMessage(database, actor, params.messageId, wanted)
      },
    })
    operation(app, `${method} /v1/chat/rooms/{roomId}/favourite`, {
      access: { permission: 'rooms:read', by: 'person' },
      handle: async ({ actor, params }) => {
        await chat.setFavourite(database, actor, params.roomId, wanted)
        notifyOwnDevices(bus, actor)
      },
    })
  }
}
