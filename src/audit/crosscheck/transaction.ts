/** One committed transaction: its changes of protected tables beside its rows of the trail. */
import { formatLsn } from '../../postgres/index.ts'
import { type Committed, committedFields, type Found } from './discrepancy.ts'
import type { Tuple } from './pgoutput.ts'
import type { Protection } from './protections.ts'
import type { Relation } from './relations.ts'
import type { TrailRow } from './trail-row.ts'
import { changedColumns, differing, recordKey } from './values.ts'

export interface Change {
  readonly operation: 'INSERT' | 'UPDATE' | 'DELETE'
  readonly relation: Relation
  readonly protection: Protection
  /** The protected table that the relation is, or is a partition of. */
  readonly family: string
  readonly added: Tuple | undefined
  readonly removed: Tuple | undefined
  /** `removed` is the whole row, not its key alone. */
  readonly full: boolean
  /** Keys after and before; null if the log does not contain them. */
  readonly key: string | null
  readonly oldKey: string | null
}

/** An UPDATE without a row in the trail, which is correct if it changed nothing that is recorded. */
export interface Unrecorded {
  readonly change: Change
  readonly place: number
  /** The previous change of the same record within the transaction. */
  readonly before?: Change | undefined
}

/** Findings of one kind that are listed individually for a transaction; the others are counted. */
const MAX_NAMED = 1_000

export class Transaction {
  readonly committed: Committed
  readonly changes: Change[] = []
  readonly trail: TrailRow[] = []
  readonly truncated: Relation[] = []
  /**
   * In the trail: rows that were removed and inserted again, as when moved between partitions, or changed.
   */
  readonly trailRemoved: string[] = []
  readonly trailUpdated: string[] = []
  /** The subscription that applied it, as the server names it. */
  origin: string | undefined

  constructor(committed: Committed) {
    this.committed = committed
  }

  get isEmpty(): boolean {
    return (
      this.changes.length +
        this.trail.length +
        this.truncated.length +
        this.trailRemoved.length +
        this.trailUpdated.length ===
      0
    )
  }

  /** When it was committed, at the latest as any of its rows says: the time of a commit is what a replication origin says. */
  get latest(): bigint {
    let latest = this.committed.committedAt
    for (const { recordedAt } of this.trail) if (recordedAt > latest) latest = recordedAt
    return latest
  }

  /** Files that relations have since the transaction truncated them, by OID, as the trail says. */
  get filesOfTruncated(): ReadonlyMap<number, number> {
    const files = new Map<number, number>()
    for (const { oid, names } of this.truncated) {
      for (const { table, file } of this.trail) if (file !== null && names[0] === table) files.set(oid, file)
    }
    return files
  }

  add(
    relation: Relation,
    protection: Protection,
    family: string,
    change: Pick<Change, 'operation' | 'added' | 'removed' | 'full'>,
  ): void {
    const { added, removed, full } = change
    const key = added === undefined ? null : recordKey(relation, protection, added)
    const oldKey = removed === undefined ? key : recordKey(relation, protection, removed, !full)
    this.changes.push({ ...change, relation, protection, family, key, oldKey })
  }

  /**
   * Matches changes and rows. Whether the `unsure` updates changed anything must be determined by the caller.
   */
  compare(): { readonly found: Found[]; readonly unsure: Unrecorded[]; readonly unmatched: TrailRow[] } {
    const found = this.#compareTrail()
    const rows = new Index(this.trail, this.#families())
    // An update that changed nothing has no row, and must not match that of another change, because digests
    // all look alike.
    const open = this.changes
      .map((change, place) => ({ change, place }))
      .filter(
        (each) => each.change.operation !== 'UPDATE' || !each.change.full || changedNothing(each) !== true,
      )
    const left = open
      .filter(({ change }) => !rows.takeWhole(change))
      .filter(({ change }) => !rows.takeParts(change))
    const unsure: Unrecorded[] = []
    for (const each of withoutMoves(left)) {
      const other = rows.takeOther(each.change)
      if (other !== undefined) found.push(this.different(each, other))
      else if (each.change.operation === 'UPDATE' && each.change.key === each.change.oldKey) unsure.push(each)
      else found.push(this.unrecorded(each))
    }
    found.push(...this.#compareTruncated())
    const unmatched = this.trail.filter((row) => row.adds || row.removes)
    return { found, unsure: this.#withBefore(unsure), unmatched }
  }

  #withBefore(unsure: readonly Unrecorded[]): Unrecorded[] {
    if (unsure.length === 0) return []
    const places = new Map(unsure.map((each) => [each.place, each]))
    const latest = new Map<string, Change>()
    const found: Unrecorded[] = []
    for (const [place, change] of this.changes.entries()) {
      const record = JSON.stringify([change.family, change.key])
      const asked = places.get(place)
      if (asked !== undefined) found.push({ ...asked, before: latest.get(record) })
      if (change.added !== undefined) latest.set(record, change)
    }
    return found
  }

  unrecorded({ change, place }: Unrecorded, why = ''): Found {
    const origin = this.origin === undefined ? '' : `, which the subscription ${this.origin} applied,`
    return {
      ...this.#of(change),
      kind: 'unrecorded',
      place: `${formatLsn(this.committed.commit)}/change/${place}`,
      detail: `${this.#named(change)} in transaction ${this.committed.xid}${origin} has no row in the trail${why}`,
    }
  }

  different({ change, place }: Unrecorded, row: TrailRow): Found {
    const columns =
      change.added === undefined
        ? []
        : differing(change.relation, change.protection, change.added, row.newValues)
    return {
      ...this.#of(change),
      kind: 'different',
      place: `${formatLsn(this.committed.commit)}/change/${place}`,
      detail: `${this.#named(change)} in transaction ${this.committed.xid} differs from its row in the trail${columns.length > 0 ? `: ${columns.join(', ')}` : ''}`,
    }
  }

  unmatched(row: TrailRow): Found {
    const [schema, table]: string[] = JSON.parse(row.table)
    return {
      ...committedFields(this.committed),
      kind: 'unmatched',
      place: `${formatLsn(this.committed.commit)}/trail/${row.id}`,
      ...(schema === undefined ? {} : { schema_name: schema }),
      ...(table === undefined ? {} : { table_name: table }),
      operation: row.operation,
      ...(row.recordId === null ? {} : { record_id: row.recordId }),
      ...(row.login === null ? {} : { login: row.login }),
      detail: `the trail has an ${row.operation} of ${schema}.${table} ${row.recordId ?? ''} in transaction ${this.committed.xid} that was never made`,
    }
  }

  limited(found: readonly Found[]): Found[] {
    const [last] = found.slice(MAX_NAMED)
    if (last === undefined) return [...found]
    return [
      ...found.slice(0, MAX_NAMED),
      {
        ...last,
        place: `${last.place}/more`,
        detail: `${last.detail}; and ${found.length - MAX_NAMED} more`,
      },
    ]
  }

  #of({ relation, operation, key, oldKey }: Change) {
    const record = key ?? oldKey
    const login = this.trail.find((row) => row.login !== null)?.login
    return {
      ...committedFields(this.committed),
      schema_name: relation.schema,
      table_name: relation.table,
      operation,
      ...(record === null ? {} : { record_id: record }),
      ...(login == null ? {} : { login }),
    }
  }

  #named({ relation, operation, key, oldKey }: Change): string {
    const article = operation === 'DELETE' ? 'a' : 'an'
    return `${article} ${operation} of ${relation.schema}.${relation.table} ${key ?? oldKey ?? '(its key is not in the log)'}`
  }

  /** Every name of a relation of this transaction, with the protected table that it belongs to. */
  #families(): ReadonlyMap<string, string> {
    const families = new Map<string, string>()
    for (const { relation, family } of this.changes)
      for (const name of relation.names) families.set(name, family)
    return families
  }

  #compareTrail(): Found[] {
    const at = formatLsn(this.committed.commit)
    const moved = new Set(this.trailRemoved)
    const put = new Set(this.trail.map(({ id }) => id))
    const login = this.trail.find((row) => row.login !== null)?.login
    const wrong = (id: string, what: string): Found => ({
      ...committedFields(this.committed),
      kind: 'trail_changed',
      place: `${at}/trail/${id}`,
      schema_name: 'akashi_audit',
      table_name: 'audit_logs',
      record_id: id,
      ...(login == null ? {} : { login }),
      detail: `transaction ${this.committed.xid} ${what}`,
    })
    const found = [
      ...this.trailRemoved
        .filter((id) => !put.has(id))
        .map((id) => wrong(id, `removed the row ${id} of the trail`)),
      ...this.trailUpdated.map((id) => wrong(id, `changed the row ${id} of the trail`)),
    ]
    const own: TrailRow[] = []
    for (const row of this.trail) {
      // A move between two partitions of the trail: the row was compared when it was written.
      if (moved.has(row.id)) continue
      if (BigInt.asUintN(32, BigInt(row.xid || 0)) === BigInt(this.committed.xid)) own.push(row)
      else
        found.push(wrong(row.id, `inserted a row into the trail that names another transaction: ${row.id}`))
    }
    this.trail.splice(0, this.trail.length, ...own)
    return found
  }

  #compareTruncated(): Found[] {
    const rows = this.trail.filter(({ isChange, operation }) => isChange && operation === 'TRUNCATE')
    const found: Found[] = []
    for (const [place, relation] of this.truncated.entries()) {
      if (rows.some(({ table }) => relation.names.includes(table))) continue
      found.push({
        ...committedFields(this.committed),
        kind: 'unrecorded',
        place: `${formatLsn(this.committed.commit)}/truncate/${place}`,
        schema_name: relation.schema,
        table_name: relation.table,
        operation: 'TRUNCATE',
        detail: `a TRUNCATE of ${relation.schema}.${relation.table} in transaction ${this.committed.xid} has no row in the trail`,
      })
    }
    for (const row of rows) {
      // A partitioned table is empty itself; its partitions are truncated with it.
      row.removes = !this.truncated.some(({ names }) => names.includes(row.table))
    }
    return found
  }
}

/**
 * A DELETE and an INSERT of one record are a move between partitions, which need not be in the trail if
 * nothing else changed.
 */
function withoutMoves(left: readonly Unrecorded[]): Unrecorded[] {
  const deleted = new Map<string, Unrecorded>()
  const result = new Set(left)
  for (const each of left) {
    const { operation, family, key, oldKey } = each.change
    if (operation === 'DELETE' && oldKey !== null) deleted.set(JSON.stringify([family, oldKey]), each)
    if (operation !== 'INSERT' || key === null) continue
    const before = deleted.get(JSON.stringify([family, key]))
    if (before === undefined || before.change.relation === each.change.relation) continue
    result.delete(before)
    result.delete(each)
    const { removed, full } = before.change
    const change: Change = { ...each.change, operation: 'UPDATE', removed, full, oldKey: key }
    result.add({ change, place: each.place })
    deleted.delete(JSON.stringify([family, key]))
  }
  return [...result]
}

/** The rows of the trail, by the records that they are about. */
class Index {
  readonly #adding = new Map<string, TrailRow[]>()
  readonly #removing = new Map<string, TrailRow[]>()

  constructor(rows: readonly TrailRow[], families: ReadonlyMap<string, string>) {
    for (const row of rows) {
      const family = families.get(row.table) ?? row.table
      if (row.adds) put(this.#adding, family, row.recordId, row)
      if (row.removes) put(this.#removing, family, row.previousId, row)
    }
  }

  /** Takes the row that records this change as one row with the same operation. */
  takeWhole(change: Change): boolean {
    const { operation, family, key, oldKey } = change
    const rows = operation === 'DELETE' ? this.#removable(family, oldKey) : this.#addable(family, key)
    for (const row of rows) {
      if (row.operation !== operation) continue
      if (operation !== 'DELETE' && !(row.adds && tells(change, row))) continue
      if (operation !== 'INSERT' && !(row.removes && (oldKey === null || row.previousId === oldKey))) continue
      if (operation === 'DELETE' && oldKey === null && !removedMatches(change, row)) continue
      row.adds = false
      row.removes = false
      return true
    }
    return false
  }

  /**
   * Takes the rows that record this change differently: an UPDATE as a DELETE and an INSERT, or a move
   * between partitions as an UPDATE.
   */
  takeParts(change: Change): boolean {
    const { operation, family, key, oldKey } = change
    const adding =
      operation === 'DELETE'
        ? undefined
        : this.#addable(family, key).find((row) => row.adds && tells(change, row))
    const removing =
      operation === 'INSERT'
        ? undefined
        : this.#removable(family, oldKey).find(
            (row) => row.removes && (oldKey !== null || removedMatches(change, row)),
          )
    if (
      (operation !== 'DELETE' && adding === undefined) ||
      (operation !== 'INSERT' && removing === undefined)
    ) {
      return false
    }
    if (adding !== undefined) adding.adds = false
    if (removing !== undefined) removing.removes = false
    return true
  }

  /** Takes a row about the same record and operation, but with other values. */
  takeOther({ operation, family, key, oldKey }: Change): TrailRow | undefined {
    const rows = operation === 'DELETE' ? this.#removable(family, oldKey) : this.#addable(family, key)
    const row = rows.find((each) => each.operation === operation && (each.adds || each.removes))
    if (row !== undefined) {
      row.adds = false
      row.removes = false
    }
    return row
  }

  #addable(family: string, key: string | null): readonly TrailRow[] {
    return find(this.#adding, family, key)
  }

  #removable(family: string, key: string | null): readonly TrailRow[] {
    return find(this.#removing, family, key)
  }
}

function put(index: Map<string, TrailRow[]>, family: string, key: string | null, row: TrailRow): void {
  for (const name of [JSON.stringify([family, key]), family]) {
    const rows = index.get(name)
    if (rows === undefined) index.set(name, [row])
    else rows.push(row)
  }
}

/** If the log does not contain the key, any row of the table may be the one. */
function find(
  index: ReadonlyMap<string, TrailRow[]>,
  family: string,
  key: string | null,
): readonly TrailRow[] {
  const rows = index.get(key === null ? family : JSON.stringify([family, key])) ?? []
  // The rows of a record that changes thousands of times are in the order of its changes.
  while (rows[0]?.adds === false && !rows[0].removes) rows.shift()
  return rows
}

function tells({ relation, protection, added }: Change, row: TrailRow): boolean {
  return added !== undefined && differing(relation, protection, added, row.newValues).length === 0
}

function removedMatches({ relation, protection, removed, full }: Change, row: TrailRow): boolean {
  if (removed === undefined) return false
  const known = relation.columns.map(({ key }, place) => (full || key ? removed[place] : undefined))
  const before = row.operation === 'DELETE' ? row.oldValues : new Map([...row.newValues, ...row.oldValues])
  return differing(relation, protection, known, before).length === 0
}

/**
 * Whether an update changed nothing that the trail would show, as far as the transaction itself shows; null
 * if it does not.
 */
export function changedNothing({ change, before }: Unrecorded): boolean | null {
  const { relation, added, removed, full, protection } = change
  if (added === undefined) return false
  if (removed !== undefined && full) {
    return changedColumns([relation, removed], [relation, added], protection).length === 0
  }
  if (before?.added === undefined) return null
  return changedColumns([before.relation, before.added], [relation, added], protection).length === 0
}
