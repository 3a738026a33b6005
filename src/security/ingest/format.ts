import type { SecurityEvent, UnidentifiedEvent } from '../event.ts'

export const ingestFormats = ['sshd', 'json', 'ocsf', 'cloudtrail'] as const
export type IngestFormat = (typeof ingestFormats)[number]

/** An event of one line, and what tells it from every other event. */
export interface Reading {
  readonly event: UnidentifiedEvent
  /** The id that the event brought, when it is one of Akashi's own. */
  readonly id: string | null
  /** The key that its source gave it; null when it has none and only its content tells it apart. */
  readonly key: string | null
}

/** The events of a line, or why there are none. */
export type LineParser = (text: string) => readonly Reading[] | string

/** An event with the place that it came from. */
export interface ParsedEvent {
  readonly line: number
  readonly event: SecurityEvent
}

export interface Rejection {
  readonly line: number
  readonly reason: string
}

/** What one portion of the input held. Every line read is either accepted or in `rejected`. */
export interface ParsedBatch {
  /** Lines, or records of a document. */
  readonly read: number
  /** Lines that became at least one event. */
  readonly accepted: number
  readonly events: readonly ParsedEvent[]
  readonly rejected: readonly Rejection[]
}
