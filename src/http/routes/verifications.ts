import {
  forgetWitness,
  listVerifications,
  readOrigins,
  trustWitness,
  verifierKeys,
  witnessStates,
} from '../../audit/index.ts'
import { evidenceVerifierKeys } from '../../evidence/index.ts'
import { erasureVerifierKey } from '../../identity/index.ts'
import { formatVerifierKey } from '../../keys/index.ts'
import { runNow } from '../../operations/index.ts'
import { operation } from '../operation.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

const jobs = { full: 'verify', incremental: 'verify-incremental', scrub: 'verify-scrub' } as const

/** Keys and witnesses that sign the record, and the results of its verification. */
export function verificationRoutes(app: App, { securityAdmin, keyring, administer }: Services): void {
  operation(app, 'GET /v1/witnesses', {
    access: { permission: 'ledger:read' },
    handle: async ({ actor }) => ({ witnesses: await witnessStates(securityAdmin, actor) }),
  })
  operation(app, 'POST /v1/witnesses', {
    access: { permission: 'ledger:admin', stepUp: true, reason: true },
    handle: async ({ actor, body: { url, key } }) => {
      const { name } = await administer(actor, (owner) => trustWitness(owner, actor, url, key))
      return { name }
    },
  })
  operation(app, 'POST /v1/witnesses/forget', {
    access: { permission: 'ledger:admin', stepUp: true, reason: true },
    handle: async ({ actor, body: { name } }) => {
      await administer(actor, (owner) => forgetWitness(owner, actor, name))
      return { name }
    },
  })
  operation(app, 'GET /v1/verifier-keys', {
    access: { permission: 'ledger:read' },
    handle: async ({ actor }) => {
      const origins = await securityAdmin.transaction(actor, readOrigins, { readOnly: true })
      const keysOf = verifierKeys(keyring)
      const found = []
      for (const origin of new Set(origins.map((each) => each.origin))) {
        const keys = await keysOf(origin)
        found.push(
          ...keys.map((key, index) => ({
            purpose: 'log' as const,
            name: origin,
            key: formatVerifierKey(key),
            active: index === keys.length - 1,
            createdAt: key.createdAt.toISOString(),
          })),
        )
      }
      const { createdAt } = await keyring.ensure('report')
      const erasure = await erasureVerifierKey(keyring)
      const evidence = await evidenceVerifierKeys(keyring)
      return {
        keys: [
          ...found,
          ...evidence.map(({ key, active, createdAt: at }) => ({
            purpose: 'evidence' as const,
            name: key.split('+', 1)[0] ?? '',
            key,
            active,
            createdAt: at.toISOString(),
          })),
          {
            purpose: 'erasure' as const,
            name: erasure.split('+', 1)[0] ?? '',
            key: erasure,
            active: true,
            createdAt: createdAt.toISOString(),
          },
        ],
      }
    },
  })
  operation(app, 'GET /v1/verifications', {
    access: { permission: 'ledger:read' },
    handle: ({ actor, query }) => listVerifications(securityAdmin, actor, query),
  })
  operation(app, 'POST /v1/verifications', {
    access: { permission: 'jobs:write' },
    handle: async ({ actor, body }) => {
      const job = jobs[body?.mode ?? 'incremental']
      return { requestedAt: await runNow(securityAdmin, actor, job), runs: `/v1/jobs/${job}/runs` }
    },
  })
}
