/** Combines matched events into findings. One implementation for every source of events. */
import { createHash } from 'node:crypto'
import { compare } from './evaluate.ts'
import type { CorrelationRule, EventRule, Rule } from './rule/ast.ts'

/** An event that a rule for events matches, reduced to what correlation needs. */
export interface Matched {
  readonly id: string
  /** created_at, in microseconds since 1970. */
  readonly at: number
  /** Position of the matching part in its correlation; 0 for a rule for events. */
  readonly part: number
  readonly group: readonly (string | null)[]
  readonly value: string | null
}

export interface Finding {
  /** The same for the same rule, subject and window, regardless of where and when it is found. */
  readonly id: string
  readonly rule: Rule
  /** Values of the rule's group-by fields. */
  readonly subject: Readonly<Record<string, string | null>>
  /** Microseconds since 1970: the first and the last of its events. */
  readonly firstAt: number
  readonly lastAt: number
  /** Number of its events. */
  readonly count: number
  /** Their ids, the first {@link MAX_EVENTS}. */
  readonly events: readonly string[]
}

/** Maximum ids that a finding lists. */
export const MAX_EVENTS = 250
/** Maximum events of one subject kept for a window; beyond it, the oldest are dropped. */
const MAX_WINDOW = 10_000
/** Maximum events that one finding counts; a flood has at least as many. */
const MAX_COUNTED = 100_000
/** Maximum subjects that one rule remembers; beyond it, the least recently seen are dropped. */
const MAX_SUBJECTS = 200_000

interface Entry {
  readonly id: string
  readonly at: number
  readonly part: number
  readonly value: string | null
}

interface Open {
  finding: Finding
  readonly ids: Set<string>
}

/** Maximum microseconds between two events of one finding of the rule. */
export function spanOf(rule: Rule): number {
  return rule.suppression + (rule.kind === 'event' ? 0 : rule.timespan)
}

/** Collects the findings of one rule. Events may come in any order; a window is cut by created_at. */
export class Correlator {
  readonly rule: Rule
  readonly #groups = new Map<string, Entry[]>()
  readonly #terms = new Map<string, Map<string, number>>()
  readonly #open = new Map<string, Open>()
  readonly #changed = new Set<string>()

  constructor(rule: Rule) {
    this.rule = rule
  }

  /** @param silently only updates the state: its findings were stored before */
  add(event: Matched, silently = false): void {
    const { rule } = this
    // Events without a subject cannot be grouped, and do not belong to one common subject.
    if (event.group.length > 0 && event.group.every((value) => value === null)) return
    const key = JSON.stringify(event.group)
    if (rule.kind === 'event') this.#found(event.group, [event], event.at, silently)
    else if (rule.type === 'new_terms') this.#addTerm(rule, key, event, silently)
    else this.#addToWindow(rule, key, event, silently)
  }

  /** The findings that are new or have grown since the last call. */
  take(): Finding[] {
    const found = [...this.#changed].flatMap((id) => this.#open.get(id)?.finding ?? [])
    this.#changed.clear()
    return found
  }

  /** Drops events that cannot become part of a finding after `at` (microseconds). */
  forget(at: number): void {
    const { rule } = this
    const span = spanOf(rule)
    for (const [key, entries] of this.#groups) {
      const first = entries.findIndex((entry) => entry.at > at - span * 2)
      if (first < 0) this.#groups.delete(key)
      else if (first > 0) entries.splice(0, first)
    }
    for (const [id, { finding }] of this.#open) {
      if (!this.#changed.has(id) && finding.lastAt < at - span * 2) this.#open.delete(id)
    }
  }

  #addTerm(rule: CorrelationRule, key: string, event: Matched, silently: boolean): void {
    if (event.value === null) return
    const terms = this.#terms.get(key) ?? new Map<string, number>()
    const before = terms.get(event.value)
    const known = terms.size > 0
    terms.set(event.value, Math.max(before ?? event.at, event.at))
    touch(this.#terms, key, terms)
    if (known && (before === undefined || before < event.at - rule.timespan)) {
      this.#found(event.group, [event], event.at, silently)
    }
  }

  #addToWindow(rule: CorrelationRule, key: string, event: Matched, silently: boolean): void {
    const entries = this.#groups.get(key) ?? []
    const entry: Entry = { id: event.id, at: event.at, part: event.part, value: event.value }
    const place = placeOf(entries, event.at)
    // Events read before by a killed process are already stored.
    let known = place - 1
    while (known >= 0 && entries[known]?.at === event.at && !isSame(entries[known], entry)) known -= 1
    const isKnown = known >= 0 && entries[known]?.at === event.at
    if (!isKnown) entries.splice(place, 0, entry)
    if (entries.length > MAX_WINDOW) entries.splice(0, entries.length - MAX_WINDOW)
    touch(this.#groups, key, entries)
    // Every window that contains the event ends at it or at a later event within the timespan.
    for (let end = Math.min(isKnown ? known : place, entries.length - 1); end < entries.length; end += 1) {
      const last = entries[end]
      if (last === undefined || last.at - event.at >= rule.timespan) break
      const start = placeOf(entries, last.at - rule.timespan)
      if (!holds(rule, entries, start, end + 1)) continue
      const id = findingId(rule, event.group, Math.floor(last.at / rule.suppression))
      // An open finding already contains the other events of the window.
      this.#found(
        event.group,
        this.#open.has(id) ? [entry] : entries.slice(start, end + 1),
        last.at,
        silently,
      )
    }
  }

  #found(group: readonly (string | null)[], events: readonly Entry[], at: number, silently: boolean): void {
    const { rule } = this
    const id = findingId(rule, group, Math.floor(at / rule.suppression))
    const open = this.#open.get(id)
    const ids = open?.ids ?? new Set<string>()
    const before = ids.size
    let [firstAt, lastAt] = open === undefined ? [at, at] : [open.finding.firstAt, open.finding.lastAt]
    for (const event of events) {
      if (ids.size < MAX_COUNTED) ids.add(event.id)
      firstAt = Math.min(firstAt, event.at)
      lastAt = Math.max(lastAt, event.at)
    }
    if (ids.size === before) return
    const names = rule.groupNames
    const subject = Object.fromEntries(names.map((name, index) => [name, group[index] ?? null]))
    const finding = {
      id,
      rule,
      subject,
      firstAt,
      lastAt,
      count: ids.size,
      events: [...ids].slice(0, MAX_EVENTS),
    }
    this.#open.set(id, { finding, ids })
    if (!silently) this.#changed.add(id)
  }
}

function isSame(one: Entry | undefined, other: Entry): boolean {
  return one?.id === other.id && one.part === other.part
}

/** Moves a key to the end and forgets the first if there are too many. */
function touch<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key)
  map.set(key, value)
  if (map.size <= MAX_SUBJECTS) return
  const [oldest] = map.keys()
  if (oldest !== undefined) map.delete(oldest)
}

/** The first place whose entry is later than `at`. */
function placeOf(entries: readonly Entry[], at: number): number {
  let [low, high] = [0, entries.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((entries[middle]?.at ?? 0) <= at) low = middle + 1
    else high = middle
  }
  return low
}

function holds(rule: CorrelationRule, entries: readonly Entry[], start: number, end: number): boolean {
  const { type, condition, parts } = rule
  const meets = (number: number) =>
    condition.every(({ comparison, value }) => compare(comparison, number, value))
  if (type === 'event_count') return meets(end - start)
  const window = entries.slice(start, end)
  switch (type) {
    case 'value_count':
      return meets(new Set(window.map(({ value }) => value).filter((value) => value !== null)).size)
    case 'temporal': {
      const kinds = new Set(window.map(({ part }) => part)).size
      return condition.length === 0 ? kinds === parts.length : meets(kinds)
    }
    case 'temporal_ordered': {
      // A rule listed several times requires as many events.
      let next = 0
      let last = ''
      for (const { part, id } of window) {
        if (part !== next || id === last) continue
        next += 1
        last = id
      }
      return condition.length === 0 ? next === parts.length : meets(next)
    }
    case 'value_sum':
    case 'value_avg':
    case 'value_percentile': {
      const numbers = window
        .flatMap(({ value }) => (value === null || value === '' ? [] : Number(value)))
        .filter(Number.isFinite)
      return numbers.length > 0 && meets(summary(rule, numbers))
    }
    case 'new_terms':
      return false
  }
}

function summary({ type, percentile }: CorrelationRule, numbers: readonly number[]): number {
  const sum = numbers.reduce((total, number) => total + number, 0)
  if (type === 'value_sum') return sum
  if (type === 'value_avg') return sum / numbers.length
  const sorted = numbers.toSorted((a, b) => a - b)
  const place = (percentile / 100) * (sorted.length - 1)
  const low = sorted[Math.floor(place)] ?? 0
  const high = sorted[Math.ceil(place)] ?? 0
  return low + (high - low) * (place - Math.floor(place))
}

/** A UUID of version 8 (RFC 9562) from rule, subject and window. */
function findingId(
  rule: EventRule | CorrelationRule,
  group: readonly (string | null)[],
  window: number,
): string {
  const hex = createHash('sha256')
    .update(JSON.stringify(['akashi-finding/1', rule.id, group, window]))
    .digest('hex')
  const variant = ((Number.parseInt(hex[16] ?? '', 16) & 3) | 8).toString(16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
