/** A corpus: attacks and near misses, hidden in the background, as the intake reads them. */

import { createRandom, type Random } from '../../../scripts/event-logs/random.ts'
import type { PlainEvent } from '../../../src/detection/index.ts'
import { parseEvents } from '../../../src/security/index.ts'
import { type Kind, kinds } from './attacks.ts'
import { background } from './background.ts'
import { type Form, type Line, scene, type Truth } from './scene.ts'

export interface Labelled {
  readonly id: string
  readonly event: PlainEvent
  readonly truth: Truth | null
}

export interface Corpus {
  readonly security_events: readonly Labelled[]
  readonly audit_logs: readonly Labelled[]
  /** By the number of the attack. */
  readonly attacks: readonly Truth[]
}

/** A Monday in Tokyo, and three working weeks without a holiday. */
const FROM = Date.UTC(2026, 5, 1)
const DAYS = 19
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const TOKYO_MS = 9 * HOUR_MS
const WEEKEND = new Set([0, 6])
/** After the corpus. */
const AS_OF = new Date('2026-07-01T00:00:00Z')

export interface CorpusOptions {
  readonly seed: number
  /** Attacks, and near misses, of each kind. */
  readonly each: number
  readonly background: number
}

export async function buildCorpus({ seed, each, background: lines }: CorpusOptions): Promise<Corpus> {
  const random = createRandom(seed)
  const numbers = { next: 0 }
  const attacks: Truth[] = []
  const written: Line[] = []
  for (const kind of kinds) {
    for (let n = 0; n < each; n += 1) {
      const truth = { kind: kind.name, attack: attacks.length }
      const before = written.length
      kind.attack(scene(written, random, startOf(kind, random), truth, numbers))
      if (written.length > before) attacks.push(truth)
      kind.nearMiss(scene(written, random, startOf(kind, random), null, numbers))
    }
  }
  for (const line of background(random, lines, FROM, DAYS)) written.push(line)
  written.sort((a, b) => a.at - b.at)
  const events: Labelled[] = []
  for (const form of ['sshd', 'cloudtrail', 'postgresql', 'json'] as const)
    for await (const labelled of read(
      form,
      written.filter((line) => line.form === form),
    ))
      events.push(labelled)
  const trail = written
    .filter(({ form }) => form === 'trail')
    .map(({ text, truth }, at) => ({ id: idOf(at), event: JSON.parse(text) as PlainEvent, truth }))
  const byTime = (a: Labelled, b: Labelled) => a.event.created_at - b.event.created_at
  return { security_events: events.sort(byTime), audit_logs: trail.sort(byTime), attacks }
}

function startOf({ hour }: Kind, random: Random): number {
  for (;;) {
    const day = FROM + random.below(DAYS) * DAY_MS
    if (hour === undefined) return day + random.below(DAY_MS)
    // Midnight in Tokyo of that date.
    if (!WEEKEND.has(new Date(day).getUTCDay())) return day - TOKYO_MS + hour * HOUR_MS
  }
}

async function* read(form: Exclude<Form, 'trail'>, lines: readonly Line[]): AsyncGenerator<Labelled> {
  const bytes = (async function* () {
    for (const { text } of lines) yield Buffer.from(`${text}\n`)
  })()
  const options =
    form === 'sshd'
      ? ({ format: form, timezone: 'UTC', year: null, asOf: AS_OF } as const)
      : ({ format: form, asOf: AS_OF } as const)
  for await (const { events, rejected } of parseEvents(bytes, options)) {
    if (rejected.length > 0)
      throw new Error(`${rejected[0]?.reason}: ${lines[(rejected[0]?.line ?? 0) - 1]?.text}`)
    for (const { line, event } of events) {
      yield {
        id: event.id,
        event: { ...event, created_at: Date.parse(event.created_at) * 1000 },
        truth: lines[line - 1]?.truth ?? null,
      }
    }
  }
}

function idOf(number: number): string {
  return `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`
}
