import type { SecurityEvent, UnidentifiedEvent } from '../event.ts'

export const ingestFormats = [
  'sshd',
  'json',
  'ocsf',
  'cloudtrail',
  'keycloak',
  'cognito',
  'postgresql',
] as const
export type IngestFormat = (typeof ingestFormats)[number]

/** An event of a line with what identifies it. */
export interface Reading {
  readonly event: UnidentifiedEvent
  /** The id in the input, for Akashi's own format. */
  readonly id: string | null
  /** The key assigned by its source; null if only its content identifies it. */
  readonly key: string | null
}

/** Returns the events of a line, or the reason why there are none. */
export type LineParser = (text: string) => readonly Reading[] | string

/** An event with its line number. */
export interface ParsedEvent {
  readonly line: number
  readonly event: SecurityEvent
}

export interface Rejection {
  readonly line: number
  readonly reason: string
}

/** A line that a later version may understand, with what it takes to read it again. */
export interface Unread extends Rejection {
  readonly text: string
  readonly options: QuarantineOptions
}

/** How a line was read, as far as its text does not say it. */
export interface QuarantineOptions {
  /** IANA time zone of times without an offset. */
  readonly timezone?: string
  /** Year of times without one. */
  readonly year?: number
  /** What distinguishes the system, part of the event ids. */
  readonly system?: string
}

/** The result of one chunk of input. Every line read is either accepted or in `rejected`. */
export interface ParsedBatch {
  /** Lines, or records of a document. */
  readonly read: number
  /** Lines that became at least one event. */
  readonly accepted: number
  readonly events: readonly ParsedEvent[]
  readonly rejected: readonly Rejection[]
  /** Those of them that are worth reading again. */
  readonly unread: readonly Unread[]
}
