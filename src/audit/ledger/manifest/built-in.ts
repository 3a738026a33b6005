/** Built-in objects of PostgreSQL: every operator, cast and function that a proof is computed with. */
import type { Session } from '../../../postgres/index.ts'
import type { Difference } from './compare.ts'

/** First oid of user objects; lower ones came with the server. */
const FIRST_USER_OID = 16_384

/** The transaction that a cluster is made in before it has transactions. */
const BOOTSTRAP = '1'

/** Initialization of a cluster ends before this transaction id, in every version. */
const AFTER_INITDB = 750

/** Catalogs whose rows come with the server and are never written again. */
const UNCHANGED = {
  pg_operator: 'oid::bigint as oid, oprname as name',
  pg_cast: "oid::bigint as oid, castsource::regtype || ' as ' || casttarget::regtype as name",
  pg_aggregate: 'aggfnoid::bigint as oid, aggfnoid::regproc::text as name',
  pg_am: 'oid::bigint as oid, amname as name',
  pg_amop: 'oid::bigint as oid, amopopr::regoper::text as name',
  pg_amproc: 'oid::bigint as oid, amproc::regproc::text as name',
  pg_opclass: 'oid::bigint as oid, opcname as name',
  pg_opfamily: 'oid::bigint as oid, opfname as name',
  pg_conversion: 'oid::bigint as oid, conname as name',
} as const

/** Views of the server that the record and its verification read; a minor release may replace others. */
const VIEWS: ReadonlySet<string> = new Set(['pg_roles', 'pg_locks'])

interface Row {
  readonly oid: string
  readonly name: string
  readonly xmin: string
}

interface FunctionRow extends Row {
  readonly schema: string
  readonly language: string
  readonly source: string
  readonly definer: boolean
  readonly configured: boolean
}

/**
 * Changes of built-in objects, detected by the transactions that wrote their rows. The rows are fetched
 * without a condition and compared here, because the operators of a condition could have been replaced.
 */
export async function changedBuiltIns(session: Session): Promise<Difference[]> {
  const found: Difference[] = []
  for (const [catalog, columns] of Object.entries(UNCHANGED)) {
    const { rows } = await session.query<Row>(`select ${columns}, xmin::text from pg_catalog.${catalog}`)
    for (const { oid, name, xmin } of rows)
      if (Number(oid) < FIRST_USER_OID && xmin !== BOOTSTRAP)
        found.push(changed(`${catalog} ${name} (${oid})`))
  }
  const types = await session.query<Row>(
    'select oid::bigint as oid, typname as name, xmin::text from pg_catalog.pg_type',
  )
  for (const { oid, name, xmin } of types.rows)
    if (Number(oid) < FIRST_USER_OID && Number(xmin) >= AFTER_INITDB)
      found.push(changed(`pg_type ${name} (${oid})`))
  const views = await session.query<Row>(
    `select r.oid::bigint as oid, c.relname as name, r.xmin::text
     from pg_catalog.pg_rewrite r join pg_catalog.pg_class c on c.oid = r.ev_class
     join pg_catalog.pg_namespace n on n.oid = c.relnamespace where n.nspname = 'pg_catalog'`,
  )
  for (const { oid, name, xmin } of views.rows)
    if (VIEWS.has(name) && (Number(oid) >= FIRST_USER_OID || Number(xmin) >= AFTER_INITDB))
      found.push(changed(`view pg_catalog.${name}`))
  return [...found, ...(await changedFunctions(session))]
}

async function changedFunctions(session: Session): Promise<Difference[]> {
  const found: Difference[] = []
  const functions = await session.query<FunctionRow>(
    `select oid::bigint as oid, proname as name, xmin::text, pronamespace::regnamespace::text as schema, prolang::text as language,
            coalesce(prosrc, '') as source, prosecdef as definer, proconfig is not null as configured
     from pg_catalog.pg_proc`,
  )
  for (const row of functions.rows) {
    if (Number(row.oid) < FIRST_USER_OID) {
      if (Number(row.xmin) >= AFTER_INITDB && !isOwnCode(row))
        found.push(changed(`function ${row.name} (${row.oid})`))
    } else if (row.schema === 'pg_catalog' && row.language !== LANGUAGE_C)
      found.push({
        object: `function pg_catalog.${row.name} (${row.oid})`,
        detail: 'it did not come with the server',
      })
  }
  return found
}

function changed(object: string): Difference {
  return { object, detail: 'it came with the server and was changed since' }
}

/** Of pg_language, in every version. */
const LANGUAGE_INTERNAL = '12'
const LANGUAGE_C = '13'

/**
 * A function compiled into the server is called by its oid and not through its row, so a grant, which
 * rewrites the row, does not change what it does.
 */
function isOwnCode({ name, language, source, definer, configured }: FunctionRow): boolean {
  return (
    language === LANGUAGE_INTERNAL && !definer && !configured && source.replace(/^be_/, '').startsWith(name)
  )
}
