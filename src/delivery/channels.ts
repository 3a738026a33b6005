/** Channels: destinations of events and rows of the trail, and the position of each. */
import type {
  ChannelFormat,
  ChannelKind,
  ChannelLog,
  Channel as ChannelState,
  Severity,
} from '@akashi/contract'
import { z } from 'zod'
import { AkashiError, decodeCursor, encodeCursor, parseQuery } from '../foundation/index.ts'
import type { Keyring } from '../keys/index.ts'
import type { Actor, Database, Session } from '../postgres/index.ts'
import { sealSecret } from './secret.ts'
import { placeOf } from './send/security-hub.ts'
import { signingKey } from './send/webhook.ts'

export interface NewChannel {
  readonly name: string
  readonly kind: ChannelKind
  /** Default security_events. */
  readonly log?: ChannelLog
  readonly format?: ChannelFormat
  readonly destination: string
  readonly secret?: string
  readonly minSeverity?: Severity
  readonly types?: readonly string[]
  readonly perMinute?: number
}

interface ChannelChange {
  readonly destination?: string
  readonly secret?: string | null
  readonly state?: 'active' | 'paused'
  readonly minSeverity?: Severity
  readonly types?: readonly string[]
  readonly perMinute?: number
}

const columns = `c.id, c.name, c.kind, c.log, c.format, c.min_severity as "minSeverity", to_json(c.types) as types, c.destination,
  c.secret is not null as "hasSecret", c.per_minute as "perMinute", c.state, p.position::float8 as position,
  greatest(akashi_audit.sealed_size(c.log) - p.position, 0)::float8 as waiting, p.failures, p.last_error as "lastError",
  p.next_attempt_at as "nextAttemptAt", p.last_delivered_at as "lastDeliveredAt",
  (select count(*)::float8 from akashi_security.delivery_dead_letters d where d.channel_id = c.id and d.replayed_at is null) as "deadLetters"`
const from =
  'akashi_security.delivery_channels c join akashi_security.delivery_progress p on p.channel_id = c.id'
const uuid = z.guid('is not a UUID')

export async function listChannels(database: Database, actor: Actor): Promise<ChannelState[]> {
  const { rows } = await database.transaction(
    actor,
    (session) => session.query<ChannelState>(`select ${columns} from ${from} order by c.name`),
    { readOnly: true },
  )
  return rows
}

/** By name or id. @throws AkashiError not_found */
export async function channelNamed(database: Database, actor: Actor, wanted: string): Promise<ChannelState> {
  const found = (await listChannels(database, actor)).find(({ id, name }) => id === wanted || name === wanted)
  if (found === undefined)
    throw new AkashiError('not_found', `there is no channel ${wanted}`, {
      hint: 'akashi channel list shows them',
    })
  return found
}

async function read(session: Session, id: string): Promise<ChannelState> {
  const { rows } = await session.query<ChannelState>(`select ${columns} from ${from} where c.id = $1`, [id])
  const [row] = rows
  if (row === undefined) throw new AkashiError('not_found', `no channel ${id}`)
  return row
}

/**
 * Adds a channel; it starts after the rows sealed so far.
 *
 * @throws AkashiError invalid_input for a destination or secret that its kind cannot use, conflict for a name that is taken
 */
export async function addChannel(
  database: Database,
  actor: Actor,
  keyring: Keyring,
  channel: NewChannel,
): Promise<ChannelState> {
  const { name, kind, log = 'security_events', format = 'akashi', destination, secret } = channel
  check(kind, log, destination, secret)
  const sealed = secret === undefined ? null : await sealSecret(keyring, name, secret)
  return await database.transaction(actor, async (session) => {
    const { rows } = await session.query<{ id: string }>(
      `with added as (
         insert into akashi_security.delivery_channels
           (name, kind, log, format, min_severity, types, destination, secret, secret_key_id, per_minute)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict (name) do nothing returning id, log
       ) insert into akashi_security.delivery_progress (channel_id, position, synced_position)
         select id, akashi_audit.sealed_size(log), akashi_audit.sealed_size('audit_logs') from added returning channel_id as id`,
      [
        name,
        kind,
        log,
        format,
        channel.minSeverity ?? 'info',
        channel.types ?? [],
        destination,
        sealed?.bytes ?? null,
        sealed?.keyId ?? null,
        channel.perMinute ?? 600,
      ],
    )
    const [row] = rows
    if (row === undefined) throw new AkashiError('conflict', `there is already a channel ${name}`)
    return await read(session, row.id)
  })
}

export async function changeChannel(
  database: Database,
  actor: Actor,
  keyring: Keyring,
  channelId: string,
  change: ChannelChange,
): Promise<ChannelState> {
  const id = parseQuery(uuid, channelId)
  const before = await database.transaction(actor, (session) => read(session, id), { readOnly: true })
  const { destination, secret, state, minSeverity, types, perMinute } = change
  check(before.kind, before.log, destination ?? before.destination, secret ?? undefined, true)
  if (
    destination !== undefined &&
    before.hasSecret &&
    secret === undefined &&
    hostOf(destination) !== hostOf(before.destination)
  ) {
    throw new AkashiError('invalid_input', 'a channel with a new destination needs its secret again', {
      hint: 'give the secret, or null for none',
    })
  }
  const sealed = typeof secret === 'string' ? await sealSecret(keyring, before.name, secret) : null
  return await database.transaction(actor, async (session) => {
    await session.query(
      `update akashi_security.delivery_channels set
         destination = coalesce($2, destination), min_severity = coalesce($3, min_severity), types = coalesce($4, types),
         per_minute = coalesce($5, per_minute), state = coalesce($6, state),
         secret = case when $7 then $8 else secret end, secret_key_id = case when $7 then $9 else secret_key_id end
       where id = $1`,
      [
        id,
        destination ?? null,
        minSeverity ?? null,
        types ?? null,
        perMinute ?? null,
        state ?? null,
        secret !== undefined,
        sealed?.bytes ?? null,
        sealed?.keyId ?? null,
      ],
    )
    return await read(session, id)
  })
}

export async function removeChannel(database: Database, actor: Actor, channelId: string): Promise<void> {
  const id = parseQuery(uuid, channelId)
  await database.transaction(actor, async (session) => {
    const { rows } = await session.query(
      'delete from akashi_security.delivery_channels where id = $1 returning id',
      [id],
    )
    if (rows.length === 0) throw new AkashiError('not_found', `no channel ${id}`)
  })
}

function hostOf(destination: string): string {
  return new URL(destination).host
}

const schemes: Readonly<Record<ChannelKind, readonly string[]>> = {
  webhook: ['https:', 'http:'],
  slack: ['https:', 'http:'],
  teams: ['https:', 'http:'],
  stream: ['https:', 'http:'],
  email: ['smtps:', 'smtp:'],
  syslog: ['tls:', 'tcp:'],
  security_hub: ['securityhub:'],
  objects: ['s3:', 'gs:', 'azblob:', 'file:'],
}

function check(
  kind: ChannelKind,
  log: ChannelLog,
  destination: string,
  secret: string | undefined,
  isChange = false,
): void {
  const wrong = (what: string, hint: string) => new AkashiError('invalid_input', what, { hint })
  if (!URL.canParse(destination)) throw wrong('the destination is not a URL', 'see docs/delivery.md')
  const url = new URL(destination)
  if (!schemes[kind].includes(url.protocol))
    throw wrong(
      `a ${kind} channel does not send to ${url.protocol}//`,
      `give one of ${schemes[kind].join(', ')}`,
    )
  if (url.password !== '') throw wrong('the destination holds a password', 'give it as the secret')
  if (log === 'audit_logs' && !['webhook', 'syslog', 'stream', 'objects'].includes(kind))
    throw wrong(`a ${kind} channel accepts only security events`, 'choose webhook, syslog, stream or objects')
  if (kind === 'email' && (url.searchParams.get('from') === null || url.searchParams.get('to') === null))
    throw wrong('sender or recipient is missing', 'write smtps://host?from=a@example.com&to=b@example.com')
  if (kind === 'security_hub') said(() => placeOf(destination))
  if (kind === 'webhook' && (secret !== undefined || !isChange)) said(() => signingKey(secret ?? ''))
}

function said(work: () => unknown): void {
  try {
    work()
  } catch (error) {
    throw new AkashiError('invalid_input', error instanceof Error ? error.message : String(error), {
      hint: 'see docs/delivery.md',
    })
  }
}

interface DeadLetter {
  readonly position: number
  readonly rowId: string
  readonly error: string
  readonly at: string
  readonly replaying: boolean
}

const place = z.tuple([z.string().regex(/^\d{1,16}$/)])

export async function listDeadLetters(
  database: Database,
  actor: Actor,
  channelId: string,
  { cursor, limit }: { readonly cursor?: string; readonly limit: number },
): Promise<{ readonly rows: readonly DeadLetter[]; readonly next: string | null }> {
  const id = parseQuery(uuid, channelId)
  const [after] = cursor === undefined ? ['-1'] : decodeCursor(cursor, place)
  const rows = await database.transaction(
    actor,
    async (session) => {
      await read(session, id)
      const found = await session.query<DeadLetter>(
        `select position::float8 as position, row_id as "rowId", error, created_at as at, replay as replaying
         from akashi_security.delivery_dead_letters
         where channel_id = $1 and replayed_at is null and position > $2::bigint order by position limit $3`,
        [id, after, limit + 1],
      )
      return found.rows
    },
    { readOnly: true },
  )
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  return {
    rows: shown,
    next: rows.length > limit && last !== undefined ? encodeCursor([String(last.position)]) : null,
  }
}

/** @returns how many are sent again */
export async function replayDeadLetters(
  database: Database,
  actor: Actor,
  channelId: string,
  rows?: readonly string[],
): Promise<number> {
  const id = parseQuery(uuid, channelId)
  return await database.transaction(actor, async (session) => {
    await read(session, id)
    const found = await session.query(
      `update akashi_security.delivery_dead_letters set replay = true
       where channel_id = $1 and replayed_at is null and not replay and ($2::uuid[] is null or row_id = any($2::uuid[])) returning row_id`,
      [id, rows ?? null],
    )
    return found.rows.length
  })
}
