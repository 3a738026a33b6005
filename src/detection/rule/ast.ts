/** The meaning of a rule, independent of its syntax and of the engine that runs it. */

import type { DetectionLog } from '@akashi/contract'

export type SourceTable = DetectionLog

/** A column, or a value inside a column of JSON. Every value is text; absent, null, objects and arrays are null. */
export interface Field {
  readonly column: string
  readonly type: 'text' | 'other' | 'address' | 'json' | 'time'
  /** Keys from the outside in; empty for the column itself. */
  readonly path: readonly string[]
}

export type Comparison = 'lt' | 'lte' | 'gt' | 'gte'

export type Test =
  /** The whole value, ASCII letters in any case unless `cased`. */
  | { readonly kind: 'like'; readonly pattern: readonly PatternPart[]; readonly cased: boolean }
  /** Anywhere in the value; the syntax that PostgreSQL, RE2 and JavaScript share. */
  | { readonly kind: 'regex'; readonly source: string; readonly insensitive: boolean }
  | { readonly kind: 'number'; readonly comparison: Comparison; readonly value: number }
  | { readonly kind: 'absent' }
  | { readonly kind: 'same'; readonly field: Field; readonly cased: boolean }
  /** A part of the time of day or week in the organisation's time zone. */
  | {
      readonly kind: 'clock'
      readonly part: ClockPart
      readonly comparison: Comparison | 'eq'
      readonly value: number
    }

/** Text, or a wildcard for any number of characters or for one. */
export type PatternPart = string | { readonly wildcard: 'any' | 'one' }

/** hour: 0 to 23; weekday: 1 is Monday, 7 is Sunday; holiday: 1 on a day of the calendar of holidays, else 0. */
export type ClockPart = 'hour' | 'weekday' | 'holiday'

export type Expression =
  | { readonly op: 'and' | 'or'; readonly of: readonly Expression[] }
  | { readonly op: 'not'; readonly of: Expression }
  | { readonly op: 'test'; readonly field: Field; readonly test: Test }

export const levels = ['informational', 'low', 'medium', 'high', 'critical'] as const
export type Level = (typeof levels)[number]

interface Described {
  readonly id: string
  /** The name by which correlations refer to it. */
  readonly name: string | null
  readonly title: string
  readonly titleJa: string | null
  readonly description: string | null
  readonly descriptionJa: string | null
  readonly level: Level
  /** Techniques of MITRE ATT&CK: `T1110`, `T1110.003`. */
  readonly attack: readonly string[]
  /** Its tactics: `credential-access`. */
  readonly tactics: readonly string[]
  readonly falsePositives: readonly string[]
  /** Hex SHA-256 of what the rule means, with the rules that it refers to. */
  readonly hash: string
  /** Microseconds within which one subject gives one finding. */
  readonly suppression: number
  readonly tests: readonly RuleTest[]
  readonly file: string
  /** The YAML of the rule alone. */
  readonly text: string
}

/** Matches single events. */
export interface EventRule extends Described {
  readonly kind: 'event'
  readonly table: SourceTable
  readonly expression: Expression
  /** The subject of a finding. */
  readonly groupBy: readonly Field[]
  readonly groupNames: readonly string[]
  /** False for a rule that exists for a correlation alone. */
  readonly reports: boolean
  /** The fields of its source, for correlations. */
  readonly fieldOf: (name: string) => Field
}

export const correlationTypes = [
  'event_count',
  'value_count',
  'temporal',
  'temporal_ordered',
  'value_sum',
  'value_avg',
  'value_percentile',
  'new_terms',
] as const
export type CorrelationType = (typeof correlationTypes)[number]

export interface CorrelationPart {
  readonly rule: EventRule
  readonly groupBy: readonly Field[]
  /** What is counted, summed or new; null where the type needs none. */
  readonly value: Field | null
}

/** Matches events of one subject within a time. */
export interface CorrelationRule extends Described {
  readonly kind: 'correlation'
  readonly type: CorrelationType
  readonly parts: readonly CorrelationPart[]
  readonly groupNames: readonly string[]
  /** Microseconds. */
  readonly timespan: number
  readonly condition: readonly { readonly comparison: Comparison | 'eq'; readonly value: number }[]
  /** Of value_percentile, 0 to 100. */
  readonly percentile: number
}

export type Rule = EventRule | CorrelationRule

/** Tactics of MITRE ATT&CK, in the order of its matrix. */
export const tactics = [
  'reconnaissance',
  'resource-development',
  'initial-access',
  'execution',
  'persistence',
  'privilege-escalation',
  'defense-evasion',
  'credential-access',
  'discovery',
  'lateral-movement',
  'collection',
  'command-and-control',
  'exfiltration',
  'impact',
] as const

/** Events by their fields, and whether the rule must find something in them. */
export interface RuleTest {
  readonly name: string
  readonly finds: boolean
  readonly events: readonly Readonly<Record<string, unknown>>[]
}
