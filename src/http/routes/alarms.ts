import {
  acknowledgeAlarm,
  alarmHistory,
  endSilence,
  listConditions,
  listSilences,
  openAlarms,
  silenceAlarms,
} from '../../operations/index.ts'
import { operation } from '../operation.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

/** Current and past alarms, their assignees, and silences. */
export function alarmRoutes(app: App, { securityAdmin }: Services): void {
  operation(app, 'GET /v1/alarms', {
    access: { permission: 'monitoring:read' },
    handle: async ({ actor }) => ({ alarms: await openAlarms(securityAdmin, actor) }),
  })
  operation(app, 'GET /v1/alarms/history', {
    access: { permission: 'monitoring:read' },
    handle: ({ actor, query }) => alarmHistory(securityAdmin, actor, query),
  })
  operation(app, 'GET /v1/alarms/conditions', {
    access: { permission: 'monitoring:read' },
    handle: async ({ actor }) => ({ conditions: await listConditions(securityAdmin, actor) }),
  })
  operation(app, 'POST /v1/alarms/{id}/acknowledge', {
    access: { permission: 'monitoring:write' },
    handle: ({ actor, params, body }) => acknowledgeAlarm(securityAdmin, actor, params.id, body?.note),
  })
  operation(app, 'GET /v1/alarms/silences', {
    access: { permission: 'monitoring:read' },
    handle: async ({ actor }) => ({ silences: await listSilences(securityAdmin, actor) }),
  })
  operation(app, 'POST /v1/alarms/silences', {
    access: { permission: 'monitoring:write', stepUp: true, reason: true },
    handle: async ({ actor, body }) => ({ id: await silenceAlarms(securityAdmin, actor, body) }),
  })
  operation(app, 'DELETE /v1/alarms/silences/{id}', {
    access: { permission: 'monitoring:write' },
    handle: ({ actor, params }) => endSilence(securityAdmin, actor, params.id),
  })
}
