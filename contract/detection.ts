/** Detection rules, their findings and what they have evaluated: `/v1/detection`. */
import { z } from 'zod'
import { byId, cursor, json, list, moment, next, pageSize, reason, text, time } from './fields.ts'
import {
  DEFAULT_QUERY_SECONDS,
  MAX_BACKTEST_FINDINGS,
  MAX_QUERY_SECONDS,
  MAX_RULE_CHARACTERS,
} from './limits.ts'
import type { OperationTable } from './operation.ts'
import { detectionLogs, findingStates, severities } from './vocabulary.ts'

const MAX_NOTES_CHARACTERS = 8_192

const severity = z.enum(severities)
const status = z.enum(findingStates)
const log = z.enum(detectionLogs)
const count = z.int().nonnegative()
const attack = list(z.string()).describe('ids of MITRE ATT&CK techniques')
const subject = z.record(z.string(), z.string().nullable())

const refused = list(z.object({ file: z.string(), line: z.int(), reason: z.string() }))

const rule = z.object({
  id: z.string(),
  name: z.string(),
  title: z.string(),
  titleJa: z.string().nullable(),
  severity,
  log,
  attack,
  tactics: list(z.string()).describe('of MITRE ATT&CK, such as credential-access'),
  hash: z.string().describe('SHA-256 of what the rule means, hexadecimal'),
  findings: count,
  open: count,
  falsePositives: count,
  falsePositiveRate: z.number().nullable().describe('share of the decided findings, 0 to 1'),
  lastAt: time.nullable(),
  days: list(z.object({ day: z.string(), findings: count })).describe(
    'of the last 30, those with findings, in UTC',
  ),
  noise: z.object({
    perDay: z.number().describe('findings a day over the last 7'),
    budget: z
      .number()
      .describe('the setting detection.noise_budgets for the rule, or else detection.noise_budget'),
    exceeded: z.boolean(),
  }),
  tests: z.object({ passed: count, failed: count }),
})

const explained = rule.extend({
  description: z.string().nullable(),
  descriptionJa: z.string().nullable(),
  falsePositiveCauses: list(z.string()),
  file: z.string(),
  groupBy: list(z.string()),
  timespanSeconds: z.number().nullable().describe('null for a rule for single events'),
  suppressionSeconds: z.number().describe('time within which one subject has one finding'),
  condition: list(z.object({ comparison: z.string(), value: z.number() })),
  testResults: list(z.object({ name: z.string(), finds: z.boolean(), passed: z.boolean() })),
  sql: z.string().describe('the events it matches, in DuckDB’s SQL'),
})

const finding = z.object({
  id: z.string(),
  rule: z.string(),
  ruleId: z.string(),
  title: z.string(),
  severity,
  status,
  log,
  subject,
  entity: z.string().describe('findings of one entity are one case'),
  count: z.number().describe('events'),
  firstAt: time,
  lastAt: time,
  assignee: z.string().nullable(),
  notes: z.string().nullable(),
  dueAt: time,
  closedAt: time.nullable(),
  createdAt: time,
  updatedAt: time,
  lastModifiedBy: z.string().nullable(),
  events: list(z.string()).describe('ids of its first 250'),
})

const findingWithEvents = finding.extend({
  titleJa: z.string().nullable(),
  description: z.string().nullable(),
  descriptionJa: z.string().nullable(),
  attack,
  ruleHash: z.string(),
  evidence: list(json).describe(
    'its events that are in PostgreSQL, oldest first, with the columns of their table',
  ),
  archived: list(z.string()).describe('ids of those that are not'),
  responses: list(z.object({ at: time, action: z.string(), outcome: z.string() })),
})

const found = z.object({
  id: z.string(),
  rule: z.string(),
  severity,
  subject,
  count: z.number(),
  firstAt: time,
  lastAt: time,
  events: list(z.string()),
})

const page = { cursor, limit: pageSize }
const times = {
  from: moment.optional(),
  to: moment.optional(),
}

export const detectionOperations = {
  'GET /v1/detection/rules': {
    summary: 'The active rules, with what each has found',
    response: z.object({ rules: list(rule), refused }),
  },
  'GET /v1/detection/rules/{rule}': {
    summary: 'What one rule looks for, with the results of its tests',
    params: z.strictObject({ rule: z.string().min(1).max(255).describe('name or id') }),
    response: explained,
  },
  'POST /v1/detection/backtest': {
    summary: 'What a rule would have found in recent and archived events; nothing is stored',
    description: `At most ${MAX_BACKTEST_FINDINGS} findings are returned; days counts all.`,
    body: z
      .strictObject({
        rule: z.string().min(1).max(255).optional().describe('name or id'),
        text: text(MAX_RULE_CHARACTERS).optional().describe('rules in YAML that are not active'),
        ...times,
        seconds: z
          .number()
          .positive()
          .max(MAX_QUERY_SECONDS)
          .default(DEFAULT_QUERY_SECONDS)
          .describe('for all of it'),
        reason: reason.optional().describe('recorded in the audit trail'),
      })
      .refine(
        ({ rule: name, text: yaml }) => (name === undefined) !== (yaml === undefined),
        'requires either rule or text',
      )
      .refine(({ from, to }) => from === undefined || to === undefined || from < to, 'ends before it begins'),
    response: z.object({
      findings: list(found),
      total: count,
      days: list(z.object({ day: z.string(), findings: count })),
      matched: count.describe('events matched by a rule for single events'),
      truncated: z.boolean().describe('more events matched than one run can handle'),
      refused,
    }),
  },
  'GET /v1/detection/findings': {
    summary: 'Findings, newest first',
    query: z.strictObject({
      status: status.optional(),
      active: z.stringbool().optional().describe('true: open or in progress; false: closed'),
      severity: severity.optional(),
      minSeverity: severity.optional().describe('this severity or higher'),
      rule: z.string().max(255).optional().describe('name or id'),
      entity: z.string().max(1_000).optional(),
      assignee: z.guid().optional(),
      overdue: z.stringbool().optional().describe('open or in progress past the due date'),
      from: moment.optional().describe('that end at or after this time, ISO 8601 with an offset'),
      to: moment.optional().describe('that begin before this time'),
      ...page,
    }),
    response: z.object({ rows: list(finding), next }),
  },
  'GET /v1/detection/findings/{id}': {
    summary: 'One finding with its events in order',
    params: byId,
    response: findingWithEvents,
  },
  'GET /v1/detection/findings/{id}/bundle': {
    summary: 'A finding with its rule and proofs of its events and of the runs that evaluated them',
    description: 'Checked by akashi audit check with the public key alone.',
    params: byId,
    response: json,
  },
  'PATCH /v1/detection/findings/{id}': {
    summary: 'Change the status, assignee or notes of a finding; only the given fields change',
    params: byId,
    body: z
      .strictObject({
        status: status.optional().describe('resolved: it was an attack; false_positive: it was not'),
        assignee: z.guid().nullable().optional().describe('id of a user'),
        notes: text(MAX_NOTES_CHARACTERS, 0).nullable().optional(),
      })
      .refine((change) => Object.keys(change).length > 0, 'changes nothing: give status, assignee or notes'),
    response: finding,
  },
  'GET /v1/detection/cases': {
    summary: 'Findings grouped by whom or what they are about, the case with the newest finding first',
    query: z.strictObject({
      active: z.stringbool().default(true).describe('only with findings that are open or in progress'),
      ...page,
    }),
    response: z.object({
      rows: list(
        z.object({
          entity: z.string(),
          severity: severity.describe('the highest of its findings'),
          findings: count,
          open: count.describe('open or in progress'),
          rules: list(z.string()),
          tactics: list(z.string()),
          assignees: list(z.string()),
          dueAt: time.nullable().describe('of the open finding that is due first'),
          firstAt: time,
          lastAt: time,
        }),
      ),
      next,
    }),
  },
  'GET /v1/detection/coverage': {
    summary: 'What the current rules have not evaluated in each log',
    response: z.object({
      logs: list(
        z.object({
          log,
          sealed: count.describe('rows'),
          covered: count.describe('rules that have evaluated everything'),
          rules: count,
          gaps: list(
            z.object({
              rule: z.string(),
              first: count.describe('position'),
              end: count.describe('the first position after the gap'),
              waiting: z.boolean().describe('the worker continues there'),
            }),
          ),
        }),
      ),
    }),
  },
  'GET /v1/detection/matrix': {
    summary: 'The rules and their findings of the last 30 days by tactic and technique of MITRE ATT&CK',
    response: z.object({
      tactics: list(
        z.object({
          tactic: z.string(),
          techniques: list(
            z.object({ technique: z.string(), rules: list(z.string()), findings: count, open: count }),
          ),
        }),
      ),
    }),
  },
} as const satisfies OperationTable
