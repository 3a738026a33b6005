/** Built-in objects of PostgreSQL: every operator, cast and function that a proof is computed with. */
import type { Session } from '../../../postgres/index.ts'
import type { CatalogObject } from './catalog.ts'
import type { Difference } from './compare.ts'

/** First oid of user objects; lower ones came with the server. */
const FIRST_USER_OID = 16_384

/** The transaction that a cluster is made in before it has transactions. */
const BOOTSTRAP = '1'

/** Initialization of a cluster ends before this transaction id, in every version. */
const AFTER_INITDB = 750

const PG_CATALOG = 11

interface Catalog {
  readonly columns: string
  /** An array of numbers by which {@link Catalog.replaces} tells; default none. */
  readonly place?: string
  /** Whether a row of others is one that an expression over types of the server can meet, instead of what came with it. */
  readonly replaces?: (place: readonly number[]) => boolean
}

const ofServer = (...oids: readonly (number | undefined)[]) =>
  oids.every((oid) => oid !== undefined && oid < FIRST_USER_OID)

/** Catalogs whose rows come with the server and are never written again. */
const UNCHANGED: Readonly<Record<string, Catalog>> = {
  pg_operator: {
    columns: 'oid::bigint as oid, oprname as name',
    place: 'array[oprnamespace::bigint]',
    replaces: ([namespace]) => namespace === PG_CATALOG,
  },
  pg_cast: {
    columns: "oid::bigint as oid, castsource::regtype || ' as ' || casttarget::regtype as name",
    // A cast by the text of both is what happens without one.
    place: "array[castsource::bigint, casttarget::bigint, (castmethod = 'i')::integer]",
    replaces: ([source, target, byText]) => ofServer(source, target) && byText === 0,
  },
  pg_aggregate: { columns: 'aggfnoid::bigint as oid, aggfnoid::regproc::text as name' },
  pg_am: { columns: 'oid::bigint as oid, amname as name' },
  pg_amop: {
    columns: 'oid::bigint as oid, amopopr::regoper::text as name',
    place: 'array[amopfamily::bigint]',
    replaces: ([family]) => ofServer(family),
  },
  pg_amproc: {
    columns: 'oid::bigint as oid, amproc::regproc::text as name',
    place: 'array[amprocfamily::bigint]',
    replaces: ([family]) => ofServer(family),
  },
  pg_opclass: {
    columns: 'oid::bigint as oid, opcname as name',
    place: 'array[opcnamespace::bigint]',
    replaces: ([namespace]) => namespace === PG_CATALOG,
  },
  pg_opfamily: { columns: 'oid::bigint as oid, opfname as name' },
  pg_conversion: { columns: 'oid::bigint as oid, conname as name' },
}

/** Views of the server that the record and its verification read; a minor release may replace others. */
const VIEWS: ReadonlySet<string> = new Set([
  'pg_locks',
  'pg_prepared_xacts',
  'pg_replication_slots',
  'pg_roles',
  'pg_settings',
  'pg_stat_activity',
  'pg_stat_replication',
])

interface Row {
  readonly oid: string
  readonly name: string
  readonly xmin: string
  readonly place?: readonly (number | string)[]
}

interface FunctionRow extends Row {
  readonly schema: string
  readonly language: string
  readonly source: string
  readonly definer: boolean
  readonly configured: boolean
}

/**
 * Changes of built-in objects, and objects of others that take the place of one, detected by the transactions that wrote their rows. The rows are fetched
 * without a condition and compared here, because the operators of a condition could have been replaced.
 */
export async function changedBuiltIns(
  session: Session,
): Promise<{ readonly differences: readonly Difference[]; readonly added: readonly CatalogObject[] }> {
  const found: Difference[] = []
  const added: CatalogObject[] = []
  for (const [catalog, { columns, place = "'{}'::bigint[]", replaces }] of Object.entries(UNCHANGED)) {
    const { rows } = await session.query<Row>(
      `select ${columns}, ${place} as place, xmin::text from pg_catalog.${catalog}`,
    )
    for (const { oid, name, xmin, place: where = [] } of rows) {
      if (Number(oid) < FIRST_USER_OID) {
        if (xmin !== BOOTSTRAP) found.push(changed(`${catalog} ${name} (${oid})`))
      } else if (replaces?.(where.map(Number)) === true) {
        added.push({ kind: catalog, name, relation: null, root: null, xmin, properties: {} })
      }
    }
  }
  found.push(
    ...(await changedSince(session, 'pg_type', 'typname')),
    ...(await changedSince(session, 'pg_language', 'lanname')),
  )
  const views = await session.query<Row>(
    `select r.oid::bigint as oid, c.relname as name, r.xmin::text
     from pg_catalog.pg_rewrite r join pg_catalog.pg_class c on c.oid = r.ev_class
     join pg_catalog.pg_namespace n on n.oid = c.relnamespace where n.nspname = 'pg_catalog'`,
  )
  for (const { oid, name, xmin } of views.rows)
    if (VIEWS.has(name) && (Number(oid) >= FIRST_USER_OID || Number(xmin) >= AFTER_INITDB))
      found.push(changed(`view pg_catalog.${name}`))
  return { differences: [...found, ...(await changedFunctions(session))], added }
}

/** Rows that were written while the cluster was made, and after it had transactions. */
async function changedSince(
  session: Session,
  catalog: 'pg_type' | 'pg_language',
  name: string,
): Promise<Difference[]> {
  const { rows } = await session.query<Row>(
    `select oid::bigint as oid, ${name} as name, xmin::text from pg_catalog.${catalog}`,
  )
  return rows
    .filter(({ oid, xmin }) => Number(oid) < FIRST_USER_OID && Number(xmin) >= AFTER_INITDB)
    .map((row) => changed(`${catalog} ${row.name} (${row.oid})`))
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
