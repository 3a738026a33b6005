/** Whether a table holds the rows of its exports, by the columns that their manifests name. */
import { createHash } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { AkashiError } from '../../../foundation/index.ts'
import { type Session, sqlState } from '../../../postgres/index.ts'
import type { ArchivedColumn } from '../columns.ts'
import type { StoreContext } from '../context.ts'
import type { Manifest } from '../manifest.ts'
import {
  addedColumns,
  comparedExpression,
  isComparable,
  matchColumns,
  missingTypes,
  orderExpression,
} from '../matched-columns.ts'
import { fetchObject, hashFile, renderCsv } from '../parts.ts'
import { identifier, literal } from '../quote.ts'
import { countRows, fingerprintRows, hasRow, type Selection, type Source, type Window } from '../source.ts'

/** What the table has to hold of one export. */
interface Expectation {
  readonly selection: Selection
  readonly window: Window
  readonly rows: number
  readonly fingerprint: string
}

export interface Comparison {
  readonly source: Source
  readonly expectations: readonly Expectation[]
  /** Condition over `r` under which a row has a value that no export holds. */
  readonly unarchived: string
  /** Whether the table has other columns, or columns of other types, than when it was exported. */
  readonly altered: boolean
}

/** Prepares the comparison of a source with its exports; reads objects only of columns that were dropped since. */
export async function prepareComparison(
  context: StoreContext,
  session: Session,
  source: Source,
  manifests: readonly Manifest[],
): Promise<Comparison> {
  const expectations: Expectation[] = []
  const conditions = new Set<string>()
  let altered = false
  for (const manifest of manifests) {
    const matched = matchColumns(manifest, source, await missingTypes(session, manifest.columns))
    const comparable = matched.filter(isComparable)
    const keys = manifest.order.map((name) => comparable.find(({ archived }) => archived.name === name))
    if (comparable.length < matched.length) altered = true
    if (comparable.some(({ archived, current }) => current?.type !== archived.type)) altered = true
    if (keys.includes(undefined)) throw orderLost(manifest)
    const whole = comparable.length === matched.length
    expectations.push({
      selection: {
        values: comparable.map(comparedExpression),
        keys: keys.flatMap((key) => (key === undefined ? [] : [orderExpression(key)])),
      },
      window: { after: manifest.after, upto: manifest.upto },
      rows: manifest.rows,
      fingerprint: whole
        ? manifest.fingerprint
        : await fingerprintOf(
            context,
            manifest,
            comparable.map(({ archived }) => archived),
          ),
    })
    const added = addedColumns(matched, source).filter(({ generated }) => generated === null)
    const filled = source.log === null ? new Map<string, string>() : await readMissingValues(session, source)
    for (const { name } of added) {
      altered = true
      const column = `r.${identifier(name)}`
      const value = filled.get(name)
      conditions.add(
        value === undefined
          ? `${column} is not null`
          : `${column} is not null and format('%s', ${column}) <> ${literal(value)}`,
      )
    }
  }
  const unarchived = conditions.size === 0 ? 'false' : [...conditions].map((each) => `(${each})`).join(' or ')
  return { source, expectations, unarchived, altered }
}

function orderLost({ table, partition }: Manifest): AkashiError {
  return new AkashiError(
    'conflict',
    `${table} has lost a column of its primary key since ${partition} was exported`,
    {
      detail: { differs: true },
    },
  )
}

/** Values that rows from before `ALTER TABLE … ADD COLUMN … DEFAULT` have without storing them. */
async function readMissingValues(session: Session, source: Source): Promise<ReadonlyMap<string, string>> {
  const { rows } = await session.query<{ name: string; value: string }>(
    `select a.attname as name, (a.attmissingval::text::text[])[1] as value from pg_catalog.pg_attribute a
     where a.attrelid = $1::oid and a.atthasmissing and not a.attisdropped`,
    [source.partitionOid],
  )
  return new Map(rows.map(({ name, value }) => [name, value]))
}

/** The fingerprint of some columns of an export, from its objects. */
async function fingerprintOf(
  { store, engine, folder, signal }: StoreContext,
  manifest: Manifest,
  columns: readonly ArchivedColumn[],
): Promise<string> {
  const hash = createHash('sha256')
  const [parquet, csv] = [join(folder, 'columns.parquet'), join(folder, 'columns.csv')]
  for (const part of manifest.parts) {
    await fetchObject(store, part, parquet, signal)
    await renderCsv(engine, columns, `read_parquet(${literal(parquet)})`, csv, signal)
    await hashFile(csv, hash)
    await rm(parquet, { force: true })
    await rm(csv, { force: true })
  }
  return hash.digest('hex')
}

/** Whether the source holds the rows of its exports, all of them and no others. */
export async function isEqual(
  session: Session,
  { source, expectations, unarchived }: Comparison,
): Promise<boolean> {
  const everything = { after: null, upto: null }
  const rows = expectations.reduce((sum, each) => sum + each.rows, 0)
  if ((await countRows(session, source, everything)) !== rows) return false
  if (unarchived !== 'false' && (await hasRow(session, source, everything, unarchived))) return false
  for (const { selection, window, fingerprint } of expectations) {
    if ((await fingerprintRows(session, source, selection, window)) !== fingerprint) return false
  }
  return true
}

/** SQLSTATE classes and codes of a value that cannot become what it was: the rows differ. */
const DIFFERENT = /^(22...|42846|42704)$/

/** Whether an error of a comparison says that the rows differ. */
export function isDifference(error: unknown): boolean {
  if (error instanceof AkashiError && error.detail['differs'] === true) return true
  return DIFFERENT.test(sqlState(error) ?? '')
}
