import { z } from 'zod'
import {
  describeCatalog,
  listAuditCopies,
  parseTableName,
  parseTarget,
  planRestore,
  readCatalog,
} from '../../backup/index.ts'
import { AkashiError } from '../../foundation/index.ts'
import { listDrills } from '../../operations/index.ts'
import { callerSignal } from '../plugins/caller-signal.ts'
import { route } from '../route.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

/** Milliseconds for one table; the connection is closed after two minutes without a byte. */
const TABLE_TIMEOUT_MS = 110_000

const point = z
  .string()
  .max(100)
  .describe('latest, a time (2026-11-21T05:20:00Z), a position, a transaction number or a restore point')

const interval = z.object({ from: z.string().nullable(), to: z.string().nullable() })

const backup = z.looseObject({
  id: z.string(),
  kind: z.enum(['full', 'incremental']),
  parent: z.string().nullable(),
  timeline: z.number(),
  startLsn: z.string(),
  endLsn: z.string(),
  startedAt: z.string(),
  stoppedAt: z.string(),
  bytes: z.number(),
  stored: z.number(),
  objects: z.number(),
})

export const drillKind = z.enum(['drill', 'recovery_test'])

const drill = z.object({
  id: z.string(),
  kind: drillKind,
  startedAt: z.string(),
  finishedAt: z.string(),
  ok: z.boolean(),
  target: z.string().nullable(),
  rpoSeconds: z.number().nullable(),
  rtoSeconds: z.number().nullable(),
  phases: z.array(z.object({ phase: z.string(), seconds: z.number() })).readonly(),
  problems: z.array(z.string()).readonly(),
  object: z.string(),
  note: z.string().describe('the signed report'),
})

const auditCopy = z.object({
  id: z.string(),
  tiers: z.array(z.enum(['near', 'cold'])).readonly(),
  manifest: z
    .looseObject({
      takenAt: z.string(),
      logs: z.array(z.looseObject({ log: z.string(), from: z.string(), to: z.string(), rows: z.number() })),
      parts: z.number(),
      bytes: z.number(),
    })
    .nullable(),
  problem: z.string().nullable(),
})

const values = z.record(z.string(), z.unknown()).readonly()

const restored = z.object({
  table: z.string(),
  into: z.string().nullable(),
  target: z.string(),
  reachedTime: z.string().nullable(),
  reachedLsn: z.string(),
  rows: z.number(),
  bytes: z.number(),
  walBytes: z.number(),
  chain: z.array(z.string()).readonly(),
  difference: z
    .object({
      missing: z.number(),
      changed: z.number(),
      added: z.number(),
      rows: z
        .array(
          z.object({
            kind: z.enum(['missing', 'changed', 'added']),
            key: values,
            before: values.nullable(),
            now: values.nullable(),
          }),
        )
        .readonly(),
      uncompared: z.array(z.string()).readonly(),
    })
    .nullable(),
  applied: z.object({ inserted: z.number(), updated: z.number() }).nullable(),
  foreignKeys: z.array(z.string()).readonly(),
  sequences: z.array(z.object({ column: z.string(), last: z.string().nullable() })).readonly(),
  notes: z.array(z.string()).readonly(),
})

/**
 * Backups, what a restore would do, one table of the past, and drills. Bringing the whole cluster back is the
 * command line's: the server that would be asked is the one that is lost.
 */
export function backupRoutes(app: App, { backups, trail }: Services): void {
  route(app, {
    method: 'GET',
    url: '/backups',
    access: { permission: 'backup:read' },
    schema: {
      summary: 'Backups in the store, and what can be restored',
      tags: ['backup'],
      response: {
        200: z.object({
          cluster: z.string(),
          backups: z.array(backup).readonly(),
          timeline: z.number().nullable(),
          restorable: interval,
          intervals: z.array(interval).readonly(),
          incomplete: z.array(z.string()).readonly(),
          problems: z.array(z.object({ object: z.string(), detail: z.string() })).readonly(),
        }),
      },
    },
    handle: async (_, reply) => {
      const signal = callerSignal(reply)
      return describeCatalog(await readCatalog(await backups.vault(signal), signal))
    },
  })
  route(app, {
    method: 'GET',
    url: '/backups/audit-copies',
    access: { permission: 'backup:read' },
    schema: {
      summary: 'Long-term copies of the audit log',
      tags: ['backup'],
      response: { 200: z.object({ copies: z.array(auditCopy).readonly() }) },
    },
    handle: async (_, reply) => {
      const signal = callerSignal(reply)
      return { copies: await listAuditCopies(await backups.logVault(), signal) }
    },
  })
  route(app, {
    method: 'GET',
    url: '/restores/plan',
    access: { permission: 'backup:read' },
    schema: {
      summary: 'Which backups a restore to a moment would begin with',
      tags: ['backup'],
      querystring: z.strictObject({ at: point.default('latest') }),
      response: {
        200: z.object({
          target: z.string(),
          timeline: z.number(),
          chain: z.array(z.string()).readonly(),
          bytes: z.number(),
          walBytes: z.number(),
        }),
      },
    },
    handle: async ({ query }, reply) => {
      const target = parseTarget(query.at)
      const signal = callerSignal(reply)
      return planRestore(await readCatalog(await backups.vault(signal), signal), target)
    },
  })
  route(app, {
    method: 'GET',
    url: '/drills',
    access: { permission: 'backup:read' },
    schema: {
      summary: 'Recovery drills, newest first, with their signed reports',
      tags: ['backup'],
      response: { 200: z.object({ drills: z.array(drill) }) },
    },
    handle: async () => ({ drills: await listDrills(trail) }),
  })
  route(app, {
    method: 'POST',
    url: '/restores',
    access: { permission: 'backup:admin', stepUp: true, reason: { with: 'apply' } },
    handlerTimeout: TABLE_TIMEOUT_MS,
    schema: {
      summary: 'One table as it was: into a new table, compared with the present one, or applied to it',
      tags: ['backup'],
      body: z.strictObject({
        table: z.string().max(200).describe('schema.table'),
        at: point,
        into: z.string().max(200).optional().describe('new table; nothing is ever overwritten'),
        diff: z.boolean().default(false),
        apply: z
          .strictObject({ reason: z.string().min(1).max(1_000) })
          .optional()
          .describe('bring missing and changed rows back'),
      }),
      response: {
        200: restored,
      },
    },
    handle: async (request, reply) => {
      const { table, at, into, diff, apply } = request.body
      if (into === undefined && !diff && apply === undefined) {
        throw new AkashiError('invalid_input', 'what to do with the table is not said', {
          hint: 'give into, diff or apply',
        })
      }
      const name = parseTableName(table)
      const signal = callerSignal(reply)
      const { userId } = request.actor
      return await backups.restoreTable(await backups.vault(signal), {
        table: name,
        target: parseTarget(at),
        ...(into === undefined ? {} : { into: parseTableName(into, name.schema) }),
        diff,
        ...(apply === undefined ? {} : { apply }),
        ...(userId === undefined ? {} : { actor: userId }),
        signal,
      })
    },
  })
}
