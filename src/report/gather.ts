/** Asks for the evidence of every control. Changes nothing. */
import type { App, Clock } from '../foundation/index.ts'
import type { KeyPurpose, Keyring } from '../keys/index.ts'
import type { Actor, Database, Session } from '../postgres/index.ts'
import { type ControlDefinition, controls, type EvidenceDefinition } from './controls.ts'
import {
  type Charts,
  type ComplianceDocument,
  type Control,
  type Evidence,
  judge,
  type Requirement,
  statusOf,
  verdictOf,
} from './document.ts'
import { monthBefore } from './month.ts'

/** Days that a key may be older than its policy, as the job that watches it has it. */
const ROTATION_GRACE_DAYS = 7
const DAY_MS = 86_400_000
/** Milliseconds for one function: events of a busy month are counted row by row. */
const EVIDENCE_TIMEOUT_MS = 300_000

export interface GatherParts {
  /** Of the role `security_admin`. */
  readonly securityAdmin: Database
  readonly keyring: Keyring
  readonly app: App
  readonly clock: Clock
  readonly actor: Actor
  readonly signal?: AbortSignal
}

/** Values of one source by column. */
type Values = Readonly<Record<string, number | null>>

interface Period {
  readonly month: string
  readonly timeZone: string
  readonly from: string
  readonly until: string
  /** Beginning of the month before. */
  readonly before: string
  readonly installation: string
  readonly database: string
}

/** @param month YYYY-MM; undefined for the one that ended last */
export async function gather(
  parts: GatherParts,
  month: string | undefined,
  identity: Pick<ComplianceDocument, 'id' | 'signer'>,
): Promise<ComplianceDocument> {
  const { securityAdmin, keyring, app, clock, actor, signal } = parts
  const generatedAt = clock.now().toISOString()
  return await securityAdmin.transaction(
    actor,
    async (session) => {
      const period = await readPeriod(session, month, clock.now())
      const earlier = await readEarlier(session, monthBefore(period.month))
      const found: Control[] = []
      for (const definition of controls) {
        const { source } = definition
        const [now, before] =
          source === 'keyring'
            ? [await keyAges(session, keyring, clock.now()), {}]
            : [
                await readValues(session, source, period.from, period.until),
                await readValues(session, source, period.before, period.from),
              ]
        const known = earlier?.controls.find(({ id }) => id === definition.id)
        found.push(controlOf(definition, period, { now, before, known, measuredAt: generatedAt }))
      }
      const charts = await readCharts(session, period)
      const { month: of, timeZone, from, until, installation, database } = period
      return {
        version: 1,
        ...identity,
        month: of,
        timeZone,
        from,
        until,
        generatedAt,
        comparedWith: earlier?.generatedAt ?? null,
        installation,
        app: { name: app.name, version: app.version, environment: app.environment, database },
        verdict: verdictOf(found),
        controls: found,
        charts,
      }
    },
    {
      readOnly: true,
      isolation: 'repeatable read',
      timeoutMs: EVIDENCE_TIMEOUT_MS,
      ...(signal === undefined ? {} : { signal }),
    },
  )
}

async function readPeriod(session: Session, month: string | undefined, now: Date): Promise<Period> {
  const { rows } = await session.query<Period>(
    `with zone as (select akashi_lifecycle.setting('organisation.time_zone') #>> '{}' as name),
          month as (
            select z.name, coalesce(($1 || '-01')::timestamp, date_trunc('month', $2::timestamptz at time zone z.name) - interval '1 month') as start
            from zone z)
     select to_char(m.start, 'YYYY-MM') as month, m.name as "timeZone",
            m.start at time zone m.name as "from", (m.start + interval '1 month') at time zone m.name as until,
            (m.start - interval '1 month') at time zone m.name as before,
            i.installation::text as installation, 'PostgreSQL ' || current_setting('server_version') as database
     from month m cross join akashi_lifecycle.installation() i`,
    [month ?? null, now],
  )
  const [period] = rows
  if (period === undefined) throw new Error('a select over one row returns one row')
  const plain = (time: string) => time.replace('.000000Z', 'Z')
  return {
    ...period,
    from: plain(period.from),
    until: plain(period.until),
    installation: period.installation ?? '',
  }
}

/** The newest report of a month. */
async function readEarlier(session: Session, month: string): Promise<ComplianceDocument | undefined> {
  const { rows } = await session.query<{ document: ComplianceDocument }>(
    'select document from akashi_security.compliance_reports where month = $1 order by created_at desc limit 1',
    [month],
  )
  return rows[0]?.document
}

async function readValues(session: Session, source: string, from: string, until: string): Promise<Values> {
  // `source` is a constant of controls.ts.
  const { rows } = await session.query<{ values: Values }>(
    `select to_jsonb(e) as values from ${source}($1::timestamptz, $2::timestamptz) e`,
    [from, until],
  )
  return rows[0]?.values ?? {}
}

async function readCharts(session: Session, { from, until, timeZone }: Period): Promise<Charts> {
  const sealed = await session.query<Charts['sealed'][number]>(
    `select to_char(day, 'YYYY-MM-DD') as day, log, rows::float8 as rows from akashi_audit.sealed_per_day($1, $2, $3)`,
    [from, until, timeZone],
  )
  const findings = await session.query<Charts['findings'][number]>(
    `select severity, found::float8 as found, closed::float8 as closed, overdue::float8 as overdue
     from akashi_security.findings_by_severity($1, $2)`,
    [from, until],
  )
  const drills = await session.query<Charts['drills'][number]>(
    `select day, rpo_seconds as "rpoSeconds", rto_seconds as "rtoSeconds", ok from akashi_lifecycle.recent_drills($1)`,
    [until],
  )
  return { sealed: sealed.rows, findings: findings.rows, drills: drills.rows }
}

/** Days since the active key of each purpose was made, and the age at which it is rotated (null: never). */
async function keyAges(session: Session, keyring: Keyring, now: Date): Promise<Values> {
  const { rows } = await session.query<Values>(
    `select nullif((akashi_lifecycle.setting('keys.wrapping.rotation_days') #>> '{}')::int, 0) + $1 as wrapping_limit,
            nullif((akashi_lifecycle.setting('keys.blind_index.rotation_days') #>> '{}')::int, 0) + $1 as blind_index_limit`,
    [ROTATION_GRACE_DAYS],
  )
  const ages: Record<string, number | null> = {}
  for (const purpose of ['wrapping', 'blind-index', 'checkpoint', 'context'] satisfies KeyPurpose[]) {
    const active = (await keyring.list(purpose)).filter(({ state }) => state === 'active')
    const newest = Math.max(...active.map(({ createdAt }) => createdAt.getTime()))
    const age = Number.isFinite(newest) ? Math.max(0, Math.floor((now.getTime() - newest) / DAY_MS)) : null
    ages[purpose.replace('-', '_')] = age
  }
  return { ...rows[0], ...ages }
}

function controlOf(
  { id, source, frameworks, evidence }: ControlDefinition,
  { from, until }: Period,
  values: {
    readonly now: Values
    readonly before: Values
    readonly known: Control | undefined
    readonly measuredAt: string
  },
): Control {
  const { now, before, known, measuredAt } = values
  const rows = evidence.map((definition): Evidence => {
    const { key, of, unit = 'count' } = definition
    const value = now[key] ?? null
    const required = requirementOf(definition, now)
    return {
      key,
      value,
      unit,
      of,
      // A state that is over can be known from the report of its month alone.
      previous:
        of === 'month'
          ? (before[key] ?? null)
          : (known?.evidence.find((earlier) => earlier.key === key)?.value ?? null),
      required,
      status: judge(value, required),
      query:
        source === 'keyring' ? 'akashi keys status' : `select ${key} from ${source}('${from}', '${until}')`,
      measuredAt,
    }
  })
  return { id, status: statusOf(rows), frameworks, evidence: rows }
}

/** null where nothing is required, or its limit is a setting that sets none. */
function requirementOf({ atMost, atLeast }: EvidenceDefinition, values: Values): Requirement | null {
  const limit = atMost ?? atLeast
  const value = typeof limit === 'string' ? values[limit] : limit
  return value == null ? null : { is: atMost === undefined ? 'at_least' : 'at_most', value }
}
