import { given, parseTableName } from '../../foundation/index.ts'
import { listHolds, partitionStates, partitionStatus } from '../../lifecycle/index.ts'
import { operation } from '../operation.ts'
import { callerSignal } from '../plugins/caller-signal.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

/** Partitions of tables, where their rows are, and legal holds. */
export function partitionRoutes(app: App, { securityAdmin }: Services): void {
  operation(app, 'GET /v1/archive/partitions', {
    access: { permission: 'lifecycle:read' },
    budget: { requests: 60, seconds: 60 },
    handle: async ({ actor, query }, reply) => {
      const table = query.table === undefined ? undefined : parseTableName(query.table)
      const states = await partitionStates(securityAdmin, actor, table)
      const wanted = new Set(states.map((each) => each.table))
      const tables = await partitionStatus(
        securityAdmin,
        actor,
        undefined,
        given({ signal: callerSignal(reply) }),
      )
      return {
        tables: tables
          .filter((each) => query.table === undefined || wanted.has(each.table))
          .map(({ table: name, interval, coveredUntil, alarm }) => ({
            table: name,
            interval,
            coveredUntil,
            alarm,
            partitions: states.filter((each) => each.table === name),
          })),
      }
    },
  })
  operation(app, 'GET /v1/archive/holds', {
    access: { permission: ['lifecycle:read', 'audit_logs:read'], reads: 'akashi_audit.audit_logs' },
    handle: async ({ actor }) => ({ holds: await listHolds(securityAdmin, actor) }),
  })
}
