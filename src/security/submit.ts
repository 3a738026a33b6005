/** Accepts batches of events from services: validated one by one, stored in one transaction, each once. */

import type { Submission, SubmitFormat } from '@akashi/contract'
import { given } from '../foundation/index.ts'
import type { Actor, Database } from '../postgres/index.ts'
import type { ParsedEvent } from './ingest/format.ts'
import { createEventParser } from './ingest/parse.ts'
import { retryWhileLocked } from './ingest/partitions.ts'

/**
 * Accepts a document (one event, an array, `{"Records": […]}`) or JSON lines. When the promise resolves, the
 * accepted events are committed. Idempotent: an event keeps its own id, or gets one derived from its content.
 * Events older than 7 days or more than 5 minutes in the future, by the database's clock, are rejected one by
 * one. `event_details.ingest` records the sender from the signed context.
 *
 * @throws AkashiError forbidden without a signed context
 */
export async function submitEvents(
  database: Database,
  actor: Actor,
  body: Uint8Array,
  options: { readonly format: SubmitFormat; readonly signal?: AbortSignal },
): Promise<Submission> {
  const { format, signal } = options
  const parser = createEventParser({ format, asOf: new Date() })
  const batches = [parser.push(body), parser.end()]
  const events = batches.flatMap((batch) => batch.events)
  const states = await store(database, actor, events, signal)
  const refused = new Map<number, string>()
  events.forEach(({ line }, at) => {
    const state = states[at] ?? ''
    if (state !== 'stored' && state !== 'known') refused.set(line, state)
  })
  const rejected = [
    ...batches.flatMap((batch) => batch.rejected),
    ...[...refused].map(([line, reason]) => ({ line, reason })),
  ].sort((a, b) => a.line - b.line)
  const read = batches.reduce((lines, batch) => lines + batch.read, 0)
  return {
    read,
    accepted: read - rejected.length,
    stored: states.filter((state) => state === 'stored').length,
    known: states.filter((state) => state === 'known').length,
    rejected,
  }
}

/** `stored`, `known`, or why an event was rejected, in the order of the events. */
async function store(
  database: Database,
  actor: Actor,
  events: readonly ParsedEvent[],
  signal: AbortSignal | undefined,
): Promise<string[]> {
  if (events.length === 0) return []
  const json = JSON.stringify(events.map(({ event }) => event))
  const { rows } = await retryWhileLocked(() =>
    database.transaction(
      actor,
      (session) =>
        session.query<{ state: string }>(
          'select state from akashi_security.submit_events($1) order by place',
          [json],
        ),
      given({ signal }),
    ),
  )
  return rows.map(({ state }) => state)
}
