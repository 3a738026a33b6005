/** What a compliance report says, without words and layout: every format and language shows this. */

/** `met` and `not_met` for what is required; `missing` where it is required and nothing was measured; else `info`. */
export type EvidenceStatus = 'met' | 'not_met' | 'missing' | 'info'
/** Of a control: the worst of its evidence, `not_met` before `missing`. */
export type ControlStatus = Exclude<EvidenceStatus, 'info'>
/** `incomplete`: nothing speaks against it, but not everything that is required was measured. */
export type Verdict = 'fulfilled' | 'incomplete' | 'not_fulfilled'

export type Unit = 'count' | 'days' | 'hours' | 'seconds'

/** What a value must be; a limit that is a setting is a value of the same row. */
export interface Requirement {
  readonly is: 'at_most' | 'at_least'
  readonly value: number
}

export interface Evidence {
  readonly key: string
  /** null where nothing was measured. */
  readonly value: number | null
  readonly unit: Unit
  /** `month`: counted over the month; `moment`: the state when the report was made. */
  readonly of: 'month' | 'moment'
  /** The same for the month before; null where it was not measured. */
  readonly previous: number | null
  readonly required: Requirement | null
  readonly status: EvidenceStatus
  /** The statement, or the command, that gives the value. */
  readonly query: string
  /** ISO 8601. */
  readonly measuredAt: string
}

/** Where a control belongs in the catalogues that auditors use. */
export interface Frameworks {
  readonly cis: readonly string[]
  readonly soc2: readonly string[]
  /** AWS Foundational Security Best Practices, which the baseline BLEA switches on in Security Hub. */
  readonly blea: readonly string[]
  readonly nist: readonly string[]
}

export interface Control {
  readonly id: string
  readonly status: ControlStatus
  readonly frameworks: Frameworks
  readonly evidence: readonly Evidence[]
}

export interface Charts {
  /** Rows sealed per day (YYYY-MM-DD) and log. */
  readonly sealed: readonly { readonly day: string; readonly log: string; readonly rows: number }[]
  /** Findings of the month by severity, and what became of them. */
  readonly findings: readonly {
    readonly severity: string
    readonly found: number
    readonly closed: number
    readonly overdue: number
  }[]
  /** The latest drills, oldest first. */
  readonly drills: readonly {
    readonly day: string
    readonly rpoSeconds: number | null
    readonly rtoSeconds: number | null
    readonly ok: boolean
  }[]
}

export interface ComplianceDocument {
  readonly version: 1
  readonly id: string
  /** YYYY-MM. */
  readonly month: string
  readonly timeZone: string
  /** ISO 8601; the end is exclusive. */
  readonly from: string
  readonly until: string
  readonly generatedAt: string
  /**
   * When the report of the previous month, whose values are shown for comparison, was created; null without
   * one.
   */
  readonly comparedWith: string | null
  readonly installation: string
  readonly app: {
    readonly name: string
    readonly version: string
    readonly environment: string
    readonly database: string
  }
  readonly verdict: Verdict
  readonly controls: readonly Control[]
  readonly charts: Charts
  /** The key that signs, as a verifier key of C2SP signed notes. */
  readonly signer: string
}

export function verdictOf(controls: readonly Control[]): Verdict {
  if (controls.some(({ status }) => status === 'not_met')) return 'not_fulfilled'
  return controls.some(({ status }) => status === 'missing') ? 'incomplete' : 'fulfilled'
}

export function statusOf(evidence: readonly Evidence[]): ControlStatus {
  if (evidence.some(({ status }) => status === 'not_met')) return 'not_met'
  return evidence.some(({ status }) => status === 'missing') ? 'missing' : 'met'
}

export function judge(value: number | null, required: Requirement | null): EvidenceStatus {
  if (required === null) return 'info'
  if (value === null) return 'missing'
  const met = required.is === 'at_most' ? value <= required.value : value >= required.value
  return met ? 'met' : 'not_met'
}
