/**
 * Sends what is sealed to each channel: at least once, in order, each channel on its own. A destination that
 * does not respond delays only its own channel.
 */
import { type Severity, severities } from '@akashi/contract'
import { AkashiError, type Log } from '../foundation/index.ts'
import type { Keyring } from '../keys/index.ts'
import type { ObjectStore } from '../object-store/index.ts'
import type { Actor, Database, Session } from '../postgres/index.ts'
import { changedRemediations, noteSecurityHubId, recordHookResults } from '../security/index.ts'
import { allowedNetworks } from './destination.ts'
import type { Message } from './message.ts'
import { openSecret } from './secret.ts'
import { sendEmail } from './send/email.ts'
import { ATTEMPT_TIMEOUT_MS, DeliveryFailure } from './send/failure.ts'
import { putObjects } from './send/objects.ts'
import { hubIdOf, importFindings, MAX_FINDINGS, updateFindings } from './send/security-hub.ts'
import { sendSyslog } from './send/syslog.ts'
import { sendStream, sendToChat, sendWebhook } from './send/webhook.ts'
import type { Channel, SendParts } from './types.ts'

/** Rows of a log per read. */
const SCANNED_ROWS = 2_000
/** Seconds between attempts: they double up to the longest. */
const FIRST_PAUSE_S = 1
const LONGEST_PAUSE_S = 300
/**
 * Milliseconds for which a failing destination is retried; then its first waiting message becomes a dead
 * letter.
 */
const GIVE_UP_MS = 3 * 86_400_000
/** Attempts to send a message that the destination refuses. */
const REFUSED_ATTEMPTS = 3
const ERROR_CHARACTERS = 1_000
const MS_PER_S = 1_000
const MS_PER_MINUTE = 60_000
const REPLAYED_AT_ONCE = 100

type Send = (channel: Channel, messages: readonly Message[], parts: SendParts) => Promise<number>

/** How each kind sends, and how many messages per request. */
const kinds: Readonly<Record<Channel['kind'], { readonly send: Send; readonly atOnce: number }>> = {
  webhook: { send: sendWebhook, atOnce: 1 },
  slack: { send: sendToChat, atOnce: 1 },
  teams: { send: sendToChat, atOnce: 1 },
  email: { send: sendEmail, atOnce: 50 },
  syslog: { send: sendSyslog, atOnce: 200 },
  security_hub: { send: importFindings, atOnce: MAX_FINDINGS },
  stream: { send: sendStream, atOnce: 500 },
  objects: { send: putObjects, atOnce: 2_000 },
}

interface DelivererParts {
  /** Of the role `worker`. */
  readonly database: Database
  readonly actor: Actor
  readonly keyring: Keyring
  readonly openStore: (url: string) => Promise<ObjectStore>
  readonly log: Log
  readonly signal: AbortSignal
  readonly tls?: SendParts['tls']
}

interface Due extends Channel {
  readonly secret: Buffer | null
  readonly keyId: string | null
  readonly position: number
  readonly failures: number
  readonly failingSince: string | null
  readonly syncedPosition: number
}

const columns = `c.id, c.name, c.kind, c.log, c.format, c.min_severity as "minSeverity", to_json(c.types) as types, c.destination,
  c.per_minute as "perMinute", c.secret, c.secret_key_id as "keyId", p.position::float8 as position, p.failures,
  p.failing_since as "failingSince", p.synced_position::float8 as "syncedPosition"`

/** Of a channel c with its progress p. */
const isDue = `p.next_attempt_at <= clock_timestamp()
  and (p.position < akashi_audit.sealed_size(c.log)
    or (c.kind = 'security_hub' and p.synced_position < akashi_audit.sealed_size('audit_logs'))
    or exists (select from akashi_security.delivery_dead_letters d where d.channel_id = c.id and d.replay and d.replayed_at is null))`

/** Whether there are active channels, and whether one of them has something to send; on a connection of the worker. */
export async function lookForDeliveries(
  session: Session,
): Promise<{ readonly active: boolean; readonly due: boolean }> {
  const { rows } = await session.query<{ active: boolean; due: boolean }>(
    `select count(*) > 0 as active, coalesce(bool_or(${isDue}), false) as due
     from akashi_security.delivery_channels c join akashi_security.delivery_progress p on p.channel_id = c.id
     where c.state = 'active'`,
  )
  return rows[0] ?? { active: false, due: false }
}

export class Deliverer {
  readonly #parts: DelivererParts
  readonly #running = new Map<string, Promise<void>>()
  /** When each channel may send the next message, in milliseconds of the monotonic clock. */
  readonly #nextAt = new Map<string, number>()

  constructor(parts: DelivererParts) {
    this.#parts = parts
  }

  /** Starts due deliveries without waiting for them. */
  async round(): Promise<void> {
    for (const channel of await this.#due()) {
      if (this.#running.has(channel.id)) continue
      const work = this.#work(channel)
        .catch((error: unknown) => {
          this.#parts.log.error({ err: error, channel: channel.name }, 'a channel could not be processed')
        })
        .finally(() => this.#running.delete(channel.id))
      this.#running.set(channel.id, work)
    }
  }

  /** Waits for running deliveries. */
  async settle(): Promise<void> {
    await Promise.all(this.#running.values())
  }

  async #due(): Promise<Due[]> {
    const { database, actor } = this.#parts
    const { rows } = await database.transaction(
      actor,
      (session) =>
        session.query<Due>(
          `select ${columns} from akashi_security.delivery_channels c
           join akashi_security.delivery_progress p on p.channel_id = c.id
           where c.state = 'active' and ${isDue}`,
        ),
      { readOnly: true },
    )
    return rows
  }

  async #work(due: Due): Promise<void> {
    const { database, actor, signal } = this.#parts
    const parts = await this.#open(due)
    let channel = due
    for (const message of await this.#replayed(channel)) {
      if (!(await this.#deliver(channel, [message], parts, true))) return
    }
    for (;;) {
      signal.throwIfAborted()
      const found = await database.transaction(actor, (session) => readMessages(session, channel), {
        readOnly: true,
      })
      for (let at = 0; at < found.messages.length; ) {
        const some = found.messages.slice(at, at + Math.min(kinds[channel.kind].atOnce, channel.perMinute))
        if (!this.#mayTake(channel, some.length)) return
        if (!(await this.#deliver(channel, some, parts, false))) return
        channel = { ...channel, failures: 0, failingSince: null }
        at += some.length
      }
      if (found.end > channel.position) await this.#advance(channel, found.end)
      channel = { ...channel, position: found.end }
      if (found.isLast) break
    }
    if (channel.kind === 'security_hub') await this.#sync(channel, parts)
  }

  /** Limits messages per minute, evenly spaced; up to a minute's worth may be queued. */
  #mayTake({ id, perMinute }: Channel, messages: number): boolean {
    const now = performance.now()
    const next = Math.max(this.#nextAt.get(id) ?? 0, now - MS_PER_MINUTE)
    if (next > now) return false
    this.#nextAt.set(id, next + (messages * MS_PER_MINUTE) / perMinute)
    return true
  }

  async #open({ name, secret, keyId }: Due): Promise<Omit<SendParts, 'signal'>> {
    const { database, actor, keyring, openStore, tls } = this.#parts
    const { rows } = await database.transaction(
      actor,
      (session) =>
        session.query<{ networks: string[] }>(
          `select akashi_lifecycle.setting('delivery.allowed_networks') as networks`,
        ),
      { readOnly: true },
    )
    return {
      secret:
        secret === null || keyId === null ? null : await openSecret(keyring, name, { keyId, bytes: secret }),
      allowed: allowedNetworks(rows[0]?.networks ?? []),
      openStore,
      ...(tls === undefined ? {} : { tls }),
    }
  }

  async #replayed(channel: Due): Promise<Message[]> {
    const { database, actor } = this.#parts
    return await database.transaction(
      actor,
      async (session) => {
        const { rows } = await session.query<{ position: number }>(
          `select position::float8 as position from akashi_security.delivery_dead_letters
           where channel_id = $1 and replay and replayed_at is null order by position limit $2`,
          [channel.id, REPLAYED_AT_ONCE],
        )
        const messages: Message[] = []
        for (const { position } of rows) {
          const [message] = (await readMessages(session, { ...channel, position }, 1, false)).messages
          if (message !== undefined) messages.push(message)
        }
        return messages
      },
      { readOnly: true },
    )
  }

  /** @returns whether the channel continues */
  async #deliver(
    channel: Due,
    messages: readonly Message[],
    parts: Omit<SendParts, 'signal'>,
    isReplay: boolean,
  ): Promise<boolean> {
    const started = performance.now()
    const attempt = channel.failures + 1
    try {
      const code = await send(channel, messages, parts, this.#parts.signal)
      await this.#record(async (session) => {
        await results(session, channel, messages, {
          attempt,
          result: 'success',
          ms: performance.now() - started,
          code,
          error: null,
        })
        if (channel.kind === 'security_hub') {
          await noteSecurityHubId(
            session,
            messages.map((message) => ({ id: message.id, at: message.at, hubId: hubIdOf(channel, message) })),
          )
        }
        await (isReplay ? replayed(session, channel, messages) : delivered(session, channel, messages))
      })
      return true
    } catch (error) {
      if (this.#parts.signal.aborted) throw error
      const failure = failureOf(error)
      // One message of several may be the cause; sending each alone shows which.
      if (failure.isFinal && messages.length > 1) {
        for (const message of messages)
          if (!(await this.#deliver(channel, [message], parts, isReplay))) return false
        return true
      }
      const isHopeless =
        (failure.isFinal && attempt >= REFUSED_ATTEMPTS) ||
        (channel.failingSince !== null && Date.now() - Date.parse(channel.failingSince) > GIVE_UP_MS)
      await this.#record(async (session) => {
        await results(session, channel, messages.slice(0, 1), {
          attempt,
          result: 'failure',
          ms: performance.now() - started,
          code: failure.code,
          error: failure.message,
        })
        if (isReplay) await refusedAgain(session, channel, messages, failure.message)
        else if (isHopeless) await buried(session, channel, messages, failure.message)
        else await failed(session, channel, attempt, failure.message)
      })
      this.#parts.log.warn(
        { channel: channel.name, attempt, reason: failure.message },
        'a message was not delivered',
      )
      return isReplay || isHopeless
    }
  }

  async #record(work: (session: Session) => Promise<void>): Promise<void> {
    await this.#parts.database.transaction(this.#parts.actor, work)
  }

  async #advance({ id }: Channel, end: number): Promise<void> {
    await this.#parts.database.transaction(this.#parts.actor, (session) =>
      session.query(
        'update akashi_security.delivery_progress set position = $2 where channel_id = $1 and position < $2',
        [id, end],
      ),
    )
  }

  /** Updates the status of events in Security Hub, from the sealed changes of their remediations. */
  async #sync(channel: Due, parts: Omit<SendParts, 'signal'>): Promise<void> {
    const { database, actor, signal } = this.#parts
    for (let position = channel.syncedPosition; ; ) {
      signal.throwIfAborted()
      const found = await database.transaction(actor, (session) => changedRemediations(session, position), {
        readOnly: true,
      })
      try {
        if (found.changes.length > 0) {
          await updateFindings(channel, found.changes, {
            ...parts,
            signal: AbortSignal.any([signal, AbortSignal.timeout(ATTEMPT_TIMEOUT_MS)]),
          })
        }
      } catch (error) {
        if (signal.aborted) throw error
        const { message } = failureOf(error)
        await this.#record((session) => failed(session, channel, channel.failures + 1, message))
        this.#parts.log.warn({ channel: channel.name, reason: message }, 'a status was not updated')
        return
      }
      await this.#record(async (session) => {
        await session.query(
          `update akashi_security.delivery_progress set synced_position = $2, failures = 0, failing_since = null, last_error = null
           where channel_id = $1`,
          [channel.id, found.end],
        )
      })
      position = found.end
      if (found.isLast) return
    }
  }
}

/** Sends within the time of one attempt. */
export async function send(
  channel: Channel,
  messages: readonly Message[],
  parts: Omit<SendParts, 'signal'>,
  signal: AbortSignal,
): Promise<number> {
  const timeout = AbortSignal.timeout(ATTEMPT_TIMEOUT_MS)
  try {
    return await kinds[channel.kind].send(channel, messages, {
      ...parts,
      signal: AbortSignal.any([signal, timeout]),
    })
  } catch (error) {
    if (timeout.aborted) throw new DeliveryFailure(`no response within ${ATTEMPT_TIMEOUT_MS / MS_PER_S} s`)
    throw error
  }
}

/** Network errors contain addresses but no secrets; Akashi's own errors are written for people. */
export function failureOf(error: unknown): DeliveryFailure {
  if (error instanceof DeliveryFailure) return error
  if (error instanceof AkashiError) return new DeliveryFailure(error.message)
  return new DeliveryFailure(error instanceof Error ? error.message : String(error))
}

const sources: Readonly<Record<Channel['log'], { readonly from: string; readonly type: string }>> = {
  security_events: {
    from: schemaQualified('akashi_security', 'v_security_events'),
    type: 'r.event_type = any($4)',
  },
  audit_logs: {
    from: schemaQualified('akashi_audit', 'audit_logs'),
    type: 'r.event_type = any($4) or r.table_name = any($4)',
  },
}

function schemaQualified(schema: string, table: string): string {
  return `${schema}.${table}`
}

/** Rows archived before they were delivered are not sent. */
async function readMessages(
  session: Session,
  { log, position, types, minSeverity }: Due,
  rows = SCANNED_ROWS,
  isFiltered = true,
): Promise<{ readonly messages: Message[]; readonly end: number; readonly isLast: boolean }> {
  const size = await session.query<{ size: number }>('select akashi_audit.sealed_size($1)::float8 as size', [
    log,
  ])
  const waiting = (size.rows[0]?.size ?? 0) - position
  const scanned = Math.max(0, Math.min(waiting, rows))
  const { from, type } = sources[log]
  const urgent: readonly Severity[] = severities.slice(severities.indexOf(minSeverity))
  const severity = log === 'security_events' ? 'r.severity = any($5)' : '$5::text[] is not null'
  const { rows: found } = await session.query<Message>(
    `select e.ledger_position::float8 as position, r.id, $1::text as log, r.created_at as at,
       jsonb_strip_nulls(to_jsonb(r)) - array['salt', 'archive_status', 'retention_period'] as row
     from akashi_audit.rows_from($1, $2, $3) e join ${from} r on (r.id, r.created_at) = (e.row_id, e.created_at)
     where not $6 or ((cardinality($4::text[]) = 0 or ${type}) and ${severity}) order by e.ledger_position`,
    [log, position, scanned, types, urgent, isFiltered],
  )
  return { messages: found, end: position + scanned, isLast: scanned === waiting || scanned === 0 }
}

async function results(
  session: Session,
  { log, name, kind }: Channel,
  messages: readonly Message[],
  outcome: Parameters<typeof recordHookResults>[3],
): Promise<void> {
  if (log === 'security_events') await recordHookResults(session, { name, type: kind }, messages, outcome)
}

async function delivered(session: Session, { id }: Channel, messages: readonly Message[]): Promise<void> {
  await session.query(
    `update akashi_security.delivery_progress set position = greatest(position, $2), failures = 0, failing_since = null, last_error = null,
       next_attempt_at = clock_timestamp(), last_delivered_at = clock_timestamp() where channel_id = $1`,
    [id, (messages.at(-1)?.position ?? -1) + 1],
  )
}

async function failed(session: Session, { id }: Channel, attempt: number, error: string): Promise<void> {
  const pause = Math.min(FIRST_PAUSE_S * 2 ** (attempt - 1), LONGEST_PAUSE_S)
  await session.query(
    `update akashi_security.delivery_progress set failures = $2, failing_since = coalesce(failing_since, clock_timestamp()),
       last_error = $3, next_attempt_at = clock_timestamp() + $4 * interval '1 second' where channel_id = $1`,
    [id, attempt, error.slice(0, ERROR_CHARACTERS), pause],
  )
}

async function buried(
  session: Session,
  { id }: Channel,
  messages: readonly Message[],
  error: string,
): Promise<void> {
  await session.query(
    `insert into akashi_security.delivery_dead_letters (channel_id, position, row_id, error)
     select $1, m.position, m.id, $3 from jsonb_to_recordset($2::jsonb) m (id uuid, position bigint)
     on conflict do nothing`,
    [
      id,
      JSON.stringify(messages.map(({ id: row, position }) => ({ id: row, position }))),
      error.slice(0, ERROR_CHARACTERS),
    ],
  )
  await session.query(
    `update akashi_security.delivery_progress set position = greatest(position, $2), failures = 0, failing_since = null,
       last_error = $3, next_attempt_at = clock_timestamp() where channel_id = $1`,
    [id, (messages.at(-1)?.position ?? -1) + 1, error.slice(0, ERROR_CHARACTERS)],
  )
}

async function replayed(session: Session, { id }: Channel, messages: readonly Message[]): Promise<void> {
  await session.query(
    'update akashi_security.delivery_dead_letters set replayed_at = clock_timestamp() where channel_id = $1 and position = any($2::bigint[])',
    [id, messages.map(({ position }) => position)],
  )
}

async function refusedAgain(
  session: Session,
  { id }: Channel,
  messages: readonly Message[],
  error: string,
): Promise<void> {
  await session.query(
    'update akashi_security.delivery_dead_letters set replay = false, error = $3 where channel_id = $1 and position = any($2::bigint[])',
    [id, messages.map(({ position }) => position), error.slice(0, ERROR_CHARACTERS)],
  )
}
