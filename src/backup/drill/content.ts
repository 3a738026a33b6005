/** The content of a database as a hash independent of physical row order. */

import { createHash } from 'node:crypto'
import { given } from '../../foundation/index.ts'
import type { Database } from '../../postgres/index.ts'

export interface Content {
  /** Hash of each table and sequence by name. */
  readonly relations: ReadonlyMap<string, string>
  readonly rows: number
  /** SHA-256 over all hashes, hex. */
  readonly hash: string
}

// A virtual column would run a function of the table's owner.
const relations = `
  select format('%I.%I', n.nspname, c.relname) as name, c.relkind = 'S' as "isSequence",
         (select string_agg(format('r.%I', a.attname), ', ' order by a.attnum) from pg_attribute a
          where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated <> 'v') as stored
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'm', 'S') and c.relpersistence = 'p' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
  order by 1`

/**
 * Rows are read through the output functions of their types, which only a superuser can define, and never
 * through casts, which other users can define: the login may be a superuser.
 */
export async function readContent(database: Database, signal?: AbortSignal): Promise<Content> {
  return await database.direct(
    async (session) => {
      const { rows: found } = await session.query<{
        name: string
        isSequence: boolean
        stored: string | null
      }>(relations)
      const hashes = new Map<string, string>()
      let rows = 0
      for (const { name, isSequence, stored } of found) {
        const { rows: sums } = await session.query<{ hash: string; rows: number }>(
          isSequence
            ? `select format('sequence %s %s', last_value, seqincrement) as hash, 0::float8 as rows
               from ${name}, pg_sequence where seqrelid = $1::regclass`
            : `select format('%s %s %s', count(*), sum(hashtextextended(t, 0)), sum(hashtextextended(t, 1))) as hash,
                      count(*)::float8 as rows from (select format('%s', row(${stored ?? ''})) as t from only ${name} r) rows`,
          isSequence ? [name] : [],
        )
        hashes.set(name, sums[0]?.hash ?? '')
        rows += sums[0]?.rows ?? 0
      }
      const text = [...hashes].map(([name, hash]) => `${name} ${hash}\n`).join('')
      return { relations: hashes, rows, hash: createHash('sha256').update(text).digest('hex') }
    },
    given({ timeoutMs: 0, signal }),
  )
}

/**
 * Names of relations that differ or exist on one side only.
 *
 * @param skipped values by which a sequence may be ahead: {@link SEQUENCE_VALUES_LOGGED} between two
 * recoveries if one replayed its WAL and the other read its page
 */
export function differences(a: Content, b: Content, skipped = 0n): string[] {
  const names = new Set([...a.relations.keys(), ...b.relations.keys()])
  return [...names].filter((name) => !isSame(a.relations.get(name), b.relations.get(name), skipped)).sort()
}

/** Values that PostgreSQL writes to the WAL ahead of their use (SEQ_LOG_VALS). */
export const SEQUENCE_VALUES_LOGGED = 32n

const SEQUENCE = /^sequence (-?\d+) (-?\d+)$/

function isSame(a: string | undefined, b: string | undefined, skipped: bigint): boolean {
  if (a === b) return true
  const [, last = '', increment = ''] = SEQUENCE.exec(a ?? '') ?? []
  const [, other = '', same = ''] = SEQUENCE.exec(b ?? '') ?? []
  if (last === '' || other === '' || increment !== same) return false
  const steps = (BigInt(last) - BigInt(other)) / BigInt(increment)
  return steps <= skipped && steps >= -skipped && skipped > 0n
}
