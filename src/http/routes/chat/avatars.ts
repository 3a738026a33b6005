import { MAX_AVATAR_BYTES } from '@akashi/contract'
import * as chat from '../../../chat/index.ts'
import { operation } from '../../operation.ts'
import { userOf } from '../../plugins/authentication.ts'
import { callerSignal } from '../../plugins/caller-signal.ts'
import { rawBody, withRawBodies } from '../../raw-body.ts'
import type { App } from '../../schema.ts'
import type { Services } from '../../services.ts'

/** Milliseconds to receive, scan and decode a picture. */
const UPLOAD_MS = 120_000
/** Seconds that a browser may show a picture without asking again; a new picture has a new address. */
const CACHE_SECONDS = 3_600

/** Pictures of people. */
export function avatarRoutes(app: App, { app: database, scanner }: Services): void {
  withRawBodies(app, (uploads) => {
    operation(uploads, 'PUT /v1/chat/avatar', {
      access: { self: 'person', scope: 'none' },
      budget: { requests: 20, seconds: 600 },
      bodyLimit: MAX_AVATAR_BYTES,
      handlerTimeout: UPLOAD_MS,
      handle: async (request, reply) => {
        const picture = rawBody(request, 'picture')
        const avatarUrl = await chat.setAvatar(
          { database, scanner },
          userOf(request),
          picture,
          callerSignal(reply),
        )
        return { avatarUrl }
      },
    })
  })
  operation(app, 'DELETE /v1/chat/avatar', {
    access: { self: 'person', scope: 'none' },
    handle: async (request) => await chat.removeAvatar(database, userOf(request)),
  })
  operation(app, 'GET /v1/chat/avatars/{avatarId}', {
    access: { signedIn: 'person', scope: 'any' },
    handle: async (request, reply) => {
      const bytes = await chat.readAvatar(database, userOf(request), request.params.avatarId)
      return await reply
        .header('content-type', 'image/webp')
        .header('content-security-policy', "default-src 'none'; sandbox")
        .header('x-content-type-options', 'nosniff')
        .header('cache-control', `private, max-age=${CACHE_SECONDS}`)
        .send(Buffer.from(bytes))
    },
  })
}
