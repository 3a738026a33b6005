/** What is known of the relations whose changes arrive. */
import type { Actor, Database, Session } from '../../postgres/index.ts'
import type { SentRelation } from './pgoutput.ts'
import { type Print, printOf, readAs, type TypeFacts } from './printed.ts'
import { nameOf } from './protections.ts'

export interface Column {
  readonly name: string
  /** Part of the replica identity. */
  readonly key: boolean
  readonly print: Print
}

export interface Relation {
  readonly oid: number
  readonly schema: string
  readonly table: string
  /** Of the relation and of the tables that it is a partition of, itself first. */
  readonly names: readonly string[]
  readonly columns: readonly Column[]
  /** Place of a column by its name. */
  readonly places: ReadonlyMap<string, number>
}

/** Types of columns and what they consist of; $1 are OIDs. */
const typesSql = `
  with recursive reached (oid) as (
    select unnest($1::oid[])
    union
    select part.oid from reached r join pg_type t on t.oid = r.oid
    cross join lateral (
      select t.typbasetype where t.typtype = 'd'
      union all select t.typelem where t.typelem <> 0 and t.typlen = -1
      union all select a.atttypid from pg_attribute a where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
    ) part (oid)
  )
  select t.oid, t.typtype::text as kind, t.typbasetype as base, case when t.typlen = -1 then t.typelem else 0 end as element,
         t.typdelim::text as delimiter,
         coalesce((select jsonb_agg(jsonb_build_object('name', a.attname, 'type', a.atttypid::bigint) order by a.attnum)
                   from pg_attribute a where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped), '[]') as fields,
         t.oid >= 16384 and exists (select from pg_cast c where c.castsource = t.oid and c.casttarget = 'json'::regtype) as "hasCast"
  from reached join pg_type t using (oid)`

/** How values of types are shown; asked once for each type. */
export class Types {
  readonly #known = new Map<number, TypeFacts>()

  async load(session: Session, oids: readonly number[]): Promise<void> {
    const missing = oids.filter((oid) => !this.#known.has(oid))
    if (missing.length === 0) return
    const { rows } = await session.query<TypeFacts>(typesSql, [missing])
    for (const row of rows) this.#known.set(row.oid, row)
  }

  print(oid: number): Print {
    return printOf(oid, this.#known)
  }

  readAs(oid: number): 'value' | 'text' | null {
    return readAs(oid, this.#known)
  }
}

/**
 * Relations by OID. The server describes one before its first change, and again whenever its definition
 * changes; its parents are looked up then. A partition that was detached meanwhile keeps its known parents.
 */
export class Relations {
  readonly #database: Database
  readonly #actor: Actor
  readonly #known = new Map<number, Relation>()

  constructor(database: Database, actor: Actor) {
    this.#database = database
    this.#actor = actor
  }

  get(oid: number): Relation | undefined {
    return this.#known.get(oid)
  }

  async learn(sent: SentRelation): Promise<void> {
    // Types may have been altered since then, like the relation.
    const types = new Types()
    const ancestors = await this.#database.transaction(
      this.#actor,
      async (session) => {
        await types.load(
          session,
          sent.columns.map(({ type }) => type),
        )
        const { rows } = await session.query<{ schema: string; table: string }>(
          `select n.nspname as schema, c.relname as "table"
           from pg_partition_ancestors($1::oid::regclass) with ordinality as a (relid, place)
           join pg_class c on c.oid = a.relid join pg_namespace n on n.oid = c.relnamespace
           where a.relid <> $1::oid order by a.place`,
          [sent.oid],
        )
        return rows.map(({ schema, table }) => nameOf(schema, table))
      },
      { readOnly: true },
    )
    const before = this.#known.get(sent.oid)?.names.slice(1) ?? []
    const columns = sent.columns.map(({ name, key, type }) => ({ name, key, print: types.print(type) }))
    this.#known.set(sent.oid, {
      oid: sent.oid,
      schema: sent.schema,
      table: sent.name,
      names: [nameOf(sent.schema, sent.name), ...(ancestors.length > 0 ? ancestors : before)],
      columns,
      places: new Map(columns.map(({ name }, place) => [name, place])),
    })
  }
}
