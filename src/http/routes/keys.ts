import { keyringState } from '../../operations/index.ts'
import { operation } from '../operation.ts'
import { callerSignal } from '../plugins/caller-signal.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

/** Milliseconds for a rotation, which wraps every person's key again; the next request completes a longer one. */
const ROTATION_TIMEOUT_MS = 110_000

/** The keys of the keyring, their age and rotation. */
export function keyRoutes(app: App, { securityAdmin, keyring, rotateKey }: Services): void {
  operation(app, 'GET /v1/keys', {
    access: { permission: 'keys:read' },
    budget: { requests: 30, seconds: 60 },
    handle: ({ actor }, reply) =>
      keyringState(keyring, securityAdmin, actor, { signal: callerSignal(reply) }),
  })
  operation(app, 'POST /v1/keys/rotations', {
    access: { permission: 'keys:admin', by: 'session', stepUp: true, reason: true },
    handlerTimeout: ROTATION_TIMEOUT_MS,
    budget: { requests: 6, seconds: 60 },
    handle: async ({ actor, body }, reply) => {
      const { purpose, keyId, resumed, rewrapped, reindexed, conflicts } = await rotateKey(actor, {
        ...body,
        signal: callerSignal(reply),
      })
      return {
        purpose,
        keyId,
        resumed,
        rewrapped: rewrapped ?? null,
        reindexed: reindexed ?? null,
        conflicts: conflicts ?? [],
      }
    },
  })
}
