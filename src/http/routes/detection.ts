import {
  backtest,
  bundleFinding,
  changeFinding,
  configuredRules,
  coverageOf,
  explainRule,
  listCases,
  listFindings,
  matrixOf,
  readFinding,
  reportRules,
  ruleNamed,
} from '../../detection/index.ts'
import { AkashiError, given } from '../../foundation/index.ts'
import { openQueries } from '../../lifecycle/index.ts'
import type { Actor } from '../../postgres/index.ts'
import { operation } from '../operation.ts'
import { callerSignal } from '../plugins/caller-signal.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

const RETRY_AFTER_S = 10
const MS_PER_S = 1_000
/** Milliseconds beyond the run's own limit, to report that it was exceeded. */
const GRACE_MS = 5_000
const MAX_BACKTEST_SECONDS = 600
/** Events that one pass of a trial may match. */
const MAX_MATCHED = 1_000_000
const FINDINGS = 'akashi_security.detection_findings'

/** Rules, their findings and what they have evaluated. */
export function detectionRoutes(app: App, { securityAdmin, store }: Services): void {
  const configured = (actor: Actor) => configuredRules(securityAdmin, actor)
  operation(app, 'GET /v1/detection/rules', {
    access: { permission: 'events:read' },
    handle: async ({ actor }) => {
      const rules = await configured(actor)
      return { rules: await reportRules(securityAdmin, actor, rules), refused: rules.refused }
    },
  })
  operation(app, 'GET /v1/detection/rules/{rule}', {
    access: { permission: 'events:read' },
    handle: async ({ actor, params }) => {
      const all = await configured(actor)
      const rule = ruleNamed(all.rules, params.rule)
      const reports = await reportRules(securityAdmin, actor, all)
      const report = reports.find(({ id }) => id === rule?.id)
      if (rule === undefined || report === undefined)
        throw new AkashiError('not_found', `there is no rule ${params.rule}`)
      return explainRule(rule, report)
    },
  })
  backtestRoute(app, securityAdmin, store)
  operation(app, 'GET /v1/detection/findings', {
    access: { permission: 'events:read', reads: FINDINGS },
    handle: ({ actor, query }) => listFindings(securityAdmin, actor, given(query)),
  })
  operation(app, 'GET /v1/detection/findings/{id}', {
    access: { permission: 'events:read', reads: FINDINGS },
    handle: async ({ actor, params }) => {
      const finding = await readFinding(securityAdmin, actor, params.id)
      const rule = ruleNamed((await configured(actor)).rules, finding.ruleId)
      const { titleJa = null, description = null, descriptionJa = null, attack = [] } = rule ?? {}
      return { ...finding, titleJa, description, descriptionJa, attack }
    },
  })
  operation(app, 'GET /v1/detection/findings/{id}/bundle', {
    access: { permission: ['events:read', 'audit_logs:read'], reads: '*' },
    budget: { requests: 30, seconds: 60 },
    handle: async ({ actor, params }, reply) => {
      const bundle = await bundleFinding(securityAdmin, actor, await configured(actor), params.id)
      reply.header('content-disposition', `attachment; filename="finding-${params.id}.json"`)
      return bundle
    },
  })
  operation(app, 'PATCH /v1/detection/findings/{id}', {
    access: { permission: 'events:write' },
    handle: ({ actor, params, body }) => changeFinding(securityAdmin, actor, params.id, given(body)),
  })
  operation(app, 'GET /v1/detection/cases', {
    access: { permission: 'events:read', reads: FINDINGS },
    handle: async ({ actor, query }) => {
      const { rules } = await configured(actor)
      const { rows, next } = await listCases(securityAdmin, actor, given(query))
      const known = (ids: readonly string[]) => ids.flatMap((id) => ruleNamed(rules, id) ?? [])
      return {
        rows: rows.map((row) => ({
          ...row,
          rules: row.rules.map((id) => ruleNamed(rules, id)?.name ?? id),
          tactics: [...new Set(known(row.rules).flatMap(({ tactics }) => tactics))],
        })),
        next,
      }
    },
  })
  operation(app, 'GET /v1/detection/coverage', {
    access: { permission: 'events:read' },
    handle: async ({ actor }) => ({
      logs: await coverageOf(securityAdmin, actor, (await configured(actor)).rules),
    }),
  })
  operation(app, 'GET /v1/detection/matrix', {
    access: { permission: 'events:read' },
    handle: async ({ actor }) => ({
      tactics: matrixOf(await reportRules(securityAdmin, actor, await configured(actor))),
    }),
  })
}

function backtestRoute(app: App, database: Services['securityAdmin'], store: Services['store']): void {
  const queries = openQueries({ database, store })
  app.addHook('onClose', async () => queries.close())
  let isRunning = false
  operation(app, 'POST /v1/detection/backtest', {
    access: { permission: ['events:read', 'audit_logs:read'], reads: '*' },
    budget: { requests: 20, seconds: 60 },
    handlerTimeout: MAX_BACKTEST_SECONDS * MS_PER_S + GRACE_MS,
    handle: async ({ actor, body }, reply) => {
      if (isRunning) {
        reply.header('retry-after', RETRY_AFTER_S)
        throw new AkashiError('rate_limited', 'another backtest is running', {
          hint: `send the request again after ${RETRY_AFTER_S} s`,
        })
      }
      isRunning = true
      try {
        const { seconds, from = null, to = null, reason = 'backtest of rules', ...which } = body
        const result = await backtest(queries, actor, await configuredRules(database, actor), {
          ...given(which),
          from,
          to,
          reason,
          rows: MAX_MATCHED,
          timeoutMs: Math.ceil(seconds * MS_PER_S),
          signal: callerSignal(reply),
        })
        return {
          ...result,
          findings: result.findings.map(({ id, rule, subject, count, firstAt, lastAt, events }) => ({
            id,
            rule: rule.name ?? rule.id,
            severity: rule.level === 'informational' ? ('info' as const) : rule.level,
            subject,
            count,
            firstAt: new Date(firstAt / MS_PER_S).toISOString(),
            lastAt: new Date(lastAt / MS_PER_S).toISOString(),
            events,
          })),
        }
      } finally {
        isRunning = false
      }
    },
  })
}
