/** Records of the ledger besides its entries, by page, oldest first. */
import type { ChainLink, Cosignature, LedgerEpoch, RetentionRecord } from '@akashi/contract'
import { z } from 'zod'
import { decodeCursor, encodeCursor, filterField, parseQuery } from '../../foundation/index.ts'
import type { Actor, Database } from '../../postgres/index.ts'
import { logNamed } from './logs.ts'

export interface LedgerRecordsQuery {
  /** Name of the log. */
  readonly log: string
  readonly cursor?: string | undefined
  readonly limit?: number | undefined
}

export interface LedgerPage<Row> {
  /** Oldest first. */
  readonly rows: readonly Row[]
  readonly next: string | null
}

const query = z.strictObject({ log: z.string(), cursor: z.string().optional(), limit: filterField.limit })
const digits = z.string().regex(/^\d{1,18}$/)

export function listEpochs(database: Database, actor: Actor, filter: LedgerRecordsQuery) {
  return read<LedgerEpoch, [string]>(database, actor, filter, {
    place: z.tuple([digits]),
    start: ['0'],
    placeOf: ({ epoch }) => [String(epoch)],
    sql: `select epoch, origin, cause, reason, previous_origin as "previousOrigin", previous_size::text as "previousSize",
            encode(previous_root, 'base64') as "previousRoot", common_size::text as "commonSize", given_up as "givenUp",
            size::text, encode(root, 'base64') as root, note, opened_at as "openedAt"
          from akashi_audit.ledger_epochs where log = $1 and epoch > $3::bigint order by epoch limit $2`,
  })
}

export function listCosignatures(database: Database, actor: Actor, filter: LedgerRecordsQuery) {
  return read<Cosignature, [string, string, string]>(database, actor, filter, {
    place: z.tuple([digits, digits, z.string()]),
    start: ['0', '0', ''],
    placeOf: ({ epoch, size, witness }) => [String(epoch), size, witness],
    sql: `select epoch, size::text, witness, note, cosigned_at as "cosignedAt"
          from akashi_audit.ledger_cosignatures c where log = $1 and (epoch, size, witness) > ($3::bigint, $4::bigint, $5)
          order by c.epoch, c.size, c.witness limit $2`,
  })
}

export function listRetentionRecords(database: Database, actor: Actor, filter: LedgerRecordsQuery) {
  return read<RetentionRecord, [string, string]>(database, actor, filter, {
    place: z.tuple([digits, z.guid()]),
    start: ['0', '00000000-0000-0000-0000-000000000000'],
    placeOf: ({ lastPosition, id }) => [lastPosition, id],
    sql: `select id, partition_name as partition, lower_bound as "from", upper_bound as "to", first_position::text as "firstPosition",
            last_position::text as "lastPosition", row_count::text as rows, encode(digest, 'base64') as digest, policy, note,
            retired_at as "retiredAt"
          from akashi_audit.retention_records where log = $1 and (last_position, id) > ($3::bigint, $4::uuid)
          order by last_position, id limit $2`,
  })
}

export function listChain(database: Database, actor: Actor, filter: LedgerRecordsQuery) {
  return read<ChainLink, [string]>(database, actor, filter, {
    place: z.tuple([digits]),
    start: null,
    placeOf: ({ position }) => [position],
    sql: `select position::text, id, recorded_at as "recordedAt", hash, previous_hash as "previousHash"
          from akashi_audit.audit_log_chain c where log = $1 and position > coalesce($3::bigint, -1) order by c.position limit $2`,
  })
}

interface Listing<Row, Place extends readonly string[]> {
  readonly place: z.ZodType<Place>
  /** Before every row; null where the statement knows. */
  readonly start: Place | null
  readonly placeOf: (row: Row) => Place
  /** $1 log, $2 limit, from $3 on the place. */
  readonly sql: string
}

/** @throws AkashiError invalid_input for an unknown log, an invalid limit or an invalid cursor */
async function read<Row, Place extends readonly string[]>(
  database: Database,
  actor: Actor,
  filter: LedgerRecordsQuery,
  { place, start, placeOf, sql }: Listing<Row, Place>,
): Promise<LedgerPage<Row>> {
  const { log, cursor, limit } = parseQuery(query, filter)
  const after = cursor === undefined ? (start ?? [null]) : decodeCursor(cursor, place)
  const { rows } = await database.transaction(
    actor,
    (session) => session.query<Row>(sql, [logNamed(log).log, limit + 1, ...after]),
    { readOnly: true },
  )
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  return { rows: shown, next: rows.length > limit && last !== undefined ? encodeCursor(placeOf(last)) : null }
}
