/** The rows of akashi_lifecycle.alarms and of its silences. */
import type { Alarm, AlarmDefinition, AlarmSilence } from '@akashi/contract'
import { z } from 'zod'
import { AkashiError, decodeCursor, encodeCursor, exactTime, nearest } from '../../foundation/index.ts'
import type { Actor, Database, Session } from '../../postgres/index.ts'
import { conditionNames, definitionOf, isCondition } from './conditions.ts'

/** Silences that are listed at most, those that last first. */
const SILENCES_LISTED = 500

const columns = `
  id, condition, subject, severity, detail, value, began_at as "beganAt", opened_at as "openedAt", seen_at as "seenAt",
  acknowledged_at as "acknowledgedAt", acknowledged_by as "acknowledgedBy", note, cleared_at as "clearedAt",
  cleared_at is null and akashi_lifecycle.is_silenced(condition, subject) as silenced`

/** The most severe first, then the oldest. */
export async function openAlarms(database: Database, actor: Actor): Promise<Alarm[]> {
  const { rows } = await database.transaction(actor, (session) => readOpen(session), { readOnly: true })
  return rows
}

function readOpen(session: Session) {
  return session.query<Alarm>(
    `select ${columns} from akashi_lifecycle.alarms where opened_at is not null and cleared_at is null
     order by array_position(array['critical', 'high', 'medium', 'low'], severity), opened_at, id`,
  )
}

const place = z.tuple([exactTime, z.guid()])

/** Newest first. @throws AkashiError invalid_input for a cursor that was not given */
export async function alarmHistory(
  database: Database,
  actor: Actor,
  {
    condition,
    cursor,
    limit,
  }: {
    readonly condition?: string | undefined
    readonly cursor?: string | undefined
    readonly limit: number
  },
): Promise<{ readonly rows: readonly Alarm[]; readonly next: string | null }> {
  const [at, id] = cursor === undefined ? [null, null] : decodeCursor(cursor, place)
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<Alarm & { place: string }>(
        `select ${columns}, to_char(opened_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as place
         from akashi_lifecycle.alarms
         where opened_at is not null and ($1::text is null or condition = $1)
           and ($2::timestamptz is null or (opened_at, id) < ($2::timestamptz, $3::uuid))
         order by opened_at desc, id desc limit $4`,
        [condition ?? null, at, id, limit + 1],
      ),
    { readOnly: true },
  )
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  return {
    rows: shown.map(({ place: _, ...row }) => row),
    next: rows.length > limit && last !== undefined ? encodeCursor([last.place, last.id]) : null,
  }
}

/** When a worker last checked all conditions; null before the first time. */
export async function alarmsLookedAt(database: Database, actor: Actor): Promise<string | null> {
  const { rows } = await database.transaction(
    actor,
    (session) => session.query<{ at: string | null }>('select akashi_lifecycle.alarms_looked_at() as at'),
    { readOnly: true },
  )
  return rows[0]?.at ?? null
}

/** Every condition with how many alarms of it are open. */
export async function listConditions(database: Database, actor: Actor): Promise<AlarmDefinition[]> {
  const open = await openAlarms(database, actor)
  return conditionNames.map((name) => ({
    ...definitionOf(name),
    open: open.filter(({ condition }) => condition === name).length,
  }))
}

/** @throws AkashiError not_found unless it is open */
export async function acknowledgeAlarm(
  database: Database,
  actor: Actor,
  id: string,
  note?: string,
): Promise<void> {
  await database.transaction(actor, (session) =>
    session.query('select akashi_lifecycle.acknowledge_alarm($1, $2)', [id, note ?? null]),
  )
}

/** Those that last first, then the newest. */
export async function listSilences(database: Database, actor: Actor): Promise<AlarmSilence[]> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<AlarmSilence>(
        `select id, condition, subject, reason, created_at as "createdAt", created_by as "createdBy", until,
                ended_at as "endedAt", ended_by as "endedBy"
         from akashi_lifecycle.alarm_silences
         order by ended_at is null and until > now() desc, created_at desc, id desc limit $1`,
        [SILENCES_LISTED],
      ),
    { readOnly: true },
  )
  return rows
}

/** @returns its id @throws AkashiError invalid_input for an unknown condition, or an end that has passed or is too far */
export async function silenceAlarms(
  database: Database,
  actor: Actor,
  {
    condition,
    subject,
    until,
    reason,
  }: {
    readonly condition: string
    readonly subject?: string | undefined
    readonly until: Date
    readonly reason: string
  },
): Promise<string> {
  requireCondition(condition)
  const { rows } = await database
    .transaction(actor, (session) =>
      session.query<{ id: string }>('select akashi_lifecycle.silence_alarms($1, $2, $3, $4) as id', [
        condition,
        subject ?? null,
        until.toISOString(),
        reason,
      ]),
    )
    .catch((cause: unknown) => {
      if (!(cause instanceof AkashiError) || cause.code !== 'invalid_input') throw cause
      throw new AkashiError('invalid_input', 'a silence must end within 90 days from now', { cause })
    })
  return rows[0]?.id ?? ''
}

/** @throws AkashiError not_found when it does not last */
export async function endSilence(database: Database, actor: Actor, id: string): Promise<void> {
  await database.transaction(actor, (session) =>
    session.query('select akashi_lifecycle.end_silence($1)', [id]),
  )
}

function requireCondition(name: string): void {
  if (isCondition(name)) return
  const meant = nearest(name, conditionNames)
  throw new AkashiError('invalid_input', `${name} is not an alarm condition`, {
    hint: meant === undefined ? 'list them with akashi alarms conditions' : `did you mean ${meant}?`,
  })
}
