import {
  addChannel,
  changeChannel,
  channelNamed,
  listChannels,
  listDeadLetters,
  removeChannel,
  replayDeadLetters,
  testChannel,
} from '../../delivery/index.ts'
import { AkashiError, given } from '../../foundation/index.ts'
import { openObjectStore } from '../../object-store/index.ts'
import { operation } from '../operation.ts'
import { callerSignal } from '../plugins/caller-signal.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

/** Folders of this machine can be destinations only from the command line, for its administrator. */
function refuseFolders(destination: string | undefined): void {
  if (destination?.trim().toLowerCase().startsWith('file:') !== true) return
  throw new AkashiError('invalid_input', 'a folder of the server cannot be a destination over HTTP', {
    hint: 'add the channel with akashi channel add',
  })
}

/** Where security events and rows of the trail are sent. */
export function channelRoutes(app: App, { securityAdmin, keyring }: Services): void {
  operation(app, 'GET /v1/channels', {
    access: { permission: 'events:read' },
    handle: async ({ actor }) => ({ channels: await listChannels(securityAdmin, actor) }),
  })
  operation(app, 'POST /v1/channels', {
    access: { permission: ['events:admin', 'audit_logs:read'], stepUp: true },
    handle: ({ actor, body }) => {
      refuseFolders(body.destination)
      return addChannel(securityAdmin, actor, keyring, given(body))
    },
  })
  operation(app, 'PATCH /v1/channels/{id}', {
    access: { permission: 'events:admin', stepUp: true },
    handle: ({ actor, params, body }) => {
      refuseFolders(body.destination)
      return changeChannel(securityAdmin, actor, keyring, params.id, given(body))
    },
  })
  operation(app, 'DELETE /v1/channels/{id}', {
    access: { permission: 'events:admin', stepUp: true },
    handle: ({ actor, params }) => removeChannel(securityAdmin, actor, params.id),
  })
  operation(app, 'POST /v1/channels/{id}/test', {
    access: { permission: 'events:admin' },
    budget: { requests: 10, seconds: 60 },
    handle: async ({ actor, params }, reply) =>
      testChannel(
        { database: securityAdmin, keyring, openStore: openObjectStore },
        actor,
        await channelNamed(securityAdmin, actor, params.id),
        callerSignal(reply),
      ),
  })
  operation(app, 'GET /v1/channels/{id}/dead-letters', {
    access: { permission: 'events:read' },
    handle: ({ actor, params, query }) => listDeadLetters(securityAdmin, actor, params.id, given(query)),
  })
  operation(app, 'POST /v1/channels/{id}/replay', {
    access: { permission: 'events:admin' },
    handle: async ({ actor, params, body }) => ({
      replaying: await replayDeadLetters(securityAdmin, actor, params.id, body.rows),
    }),
  })
}
