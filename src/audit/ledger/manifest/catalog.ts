/** The catalog objects that the proof depends on, as plain values: one query for each kind. */
import { createHash } from 'node:crypto'
import type { Session } from '../../../postgres/index.ts'

/** Schemas whose every object is compared. */
export const PROOF_SCHEMAS = [
  'akashi_archive',
  'akashi_audit',
  'akashi_auth',
  'akashi_keys',
  'akashi_lifecycle',
  'akashi_security',
] as const

/** What an object is, by property; absent is the property's usual value. */
export type Properties = Readonly<Record<string, string>>

export interface CatalogObject {
  readonly kind: string
  /** Unique within its kind; for what belongs to a relation, the relation's name, a space and its own. */
  readonly name: string
  /** `schema.table` of the relation that it is or belongs to. */
  readonly relation: string | null
  /** Topmost parent of that relation where it is a partition. */
  readonly root: string | null
  /** The transaction that wrote its row, 32 bits as a decimal. */
  readonly xmin: string
  readonly properties: Properties
}

interface Row {
  readonly name: string
  readonly relation: string | null
  readonly root: string | null
  readonly xmin: string
  readonly properties: Record<string, string | number | boolean | null>
}

/**
 * Properties with long texts: a digest is compared that ignores differences in white space between versions.
 */
const TEXTS: ReadonlySet<string> = new Set(['source', 'definition', 'printed'])

/** The qualifier of a column: a relation's name or alias and a dot; never one of Akashi's schemas. */
const QUALIFIER = /(?<![\w."'])(?!akashi_|pg_)[a-z_]\w*\.(?=[a-z_"])/g

const named = (owner: string) =>
  `case when ${owner}::regrole::text ~ '^akashi_' then ${owner}::regrole::text else 'administrator' end`

/**
 * Privileges by grantee, without those of the owner. Privileges to read and to use are left out, so that an
 * administrator can grant them to other roles; MAINTAIN is granted only to the owner.
 */
const grants = (acl: string, kind: string, owner: string) => `
  (select string_agg(grantee || '=' || privileges, ' ' order by grantee) from (
     select case a.grantee when 0 then 'public' else a.grantee::regrole::text end as grantee,
            string_agg(lower(a.privilege_type) || case when a.is_grantable then '*' else '' end, ',' order by a.privilege_type) as privileges
     from aclexplode(coalesce(${acl}, acldefault('${kind}', ${owner}))) a
     where a.grantee <> ${owner}
       and (a.privilege_type not in ('SELECT', 'USAGE') or a.grantee = 0 or a.grantee::regrole::text ~ '^akashi_')
     group by 1) g)`

/**
 * Relations of the schemas, and partitions and children of these wherever they are; temporary ones are visible to their own
 * session only.
 */
const relations = `
  with recursive children (oid) as (
    select i.inhrelid from pg_inherits i join pg_class p on p.oid = i.inhparent join pg_namespace pn on pn.oid = p.relnamespace
    where pn.nspname = any ($1)
    union select i.inhrelid from pg_inherits i join children on children.oid = i.inhparent
  ), relations as (
    select c.*, c.xmin as written, n.nspname, n.nspname || '.' || c.relname as relation,
           case when c.relispartition then (select rn.nspname || '.' || r.relname from pg_class r join pg_namespace rn on rn.oid = r.relnamespace
                                            where r.oid = pg_partition_root(c.oid)) end as root
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where (n.nspname = any ($1) or c.oid in (select children.oid from children)) and c.relpersistence <> 't'
  )`

const queries: Readonly<Record<string, string>> = {
  schema: `
    select n.nspname as name, null as relation, null as root, n.xmin::text,
           jsonb_build_object('owner', ${named('n.nspowner')}, 'grants', ${grants('n.nspacl', 'n', 'n.nspowner')}) as properties
    from pg_namespace n where n.nspname = any ($1)`,

  function: `
    select n.nspname || '.' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')' as name,
           null as relation, null as root, p.xmin::text,
           jsonb_build_object('kind', nullif(p.prokind, 'f'), 'language', l.lanname, 'arguments', pg_get_function_arguments(p.oid),
             'returns', pg_get_function_result(p.oid), 'definer', nullif(p.prosecdef, false), 'leakproof', nullif(p.proleakproof, false),
             'strict', nullif(p.proisstrict, false), 'volatility', p.provolatile, 'parallel', nullif(p.proparallel, 'u'),
             'settings', array_to_string(p.proconfig, '; '), 'support', nullif(p.prosupport::text, '-'), 'library', p.probin,
             'transforms', p.protrftypes::text, 'owner', ${named('p.proowner')}, 'grants', ${grants('p.proacl', 'f', 'p.proowner')},
             'source', coalesce(pg_get_function_sqlbody(p.oid), p.prosrc)) as properties
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_language l on l.oid = p.prolang
    where n.nspname = any ($1)`,

  relation: `${relations}
    select c.relation as name, c.relation, c.root, c.written::text as xmin,
           jsonb_build_object('kind', c.relkind, 'owner', ${named('c.relowner')}, 'access', nullif(am.amname, 'heap'),
             'persistence', nullif(c.relpersistence, 'p'), 'identity', nullif(c.relreplident, 'd'),
             'row security', case when c.relforcerowsecurity then 'forced' when c.relrowsecurity then 'on' end,
             'options', (select string_agg(o, ', ' order by o) from unnest(c.reloptions) o where c.relkind = 'v'),
             'partitioned', case when c.relkind = 'p' then pg_get_partkeydef(c.oid) end,
             'parents', (select string_agg(i.inhparent::regclass::text, ', ' order by i.inhparent::regclass::text) from pg_inherits i
                         where i.inhrelid = c.oid and not c.relispartition),
             'sequence', (select format('%s by %s from %s to %s start %s%s', format_type(s.seqtypid, null), s.seqincrement, s.seqmin, s.seqmax,
                            s.seqstart, case when s.seqcycle then ' cycle' else '' end) from pg_sequence s where s.seqrelid = c.oid),
             'grants', ${grants('c.relacl', 'r', 'c.relowner')}) as properties
    from relations c left join pg_am am on am.oid = c.relam
    where c.relkind not in ('i', 'I', 't')`,

  column: `${relations}
    select c.relation || ' ' || a.attname as name, c.relation, c.root, a.xmin::text,
           jsonb_build_object('type', format_type(a.atttypid, a.atttypmod), 'required', nullif(a.attnotnull, false),
             'collation', case when a.attcollation <> t.typcollation then a.attcollation::regcollation::text end,
             'identity', nullif(a.attidentity, ''), 'generated', nullif(a.attgenerated, ''),
             'default', pg_get_expr(d.adbin, d.adrelid),
             'grants', (select string_agg(case x.grantee when 0 then 'public' else x.grantee::regrole::text end || '=' || lower(x.privilege_type), ' '
                          order by 1) from aclexplode(a.attacl) x)) as properties
    from relations c join pg_attribute a on a.attrelid = c.oid join pg_type t on t.oid = a.atttypid
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p', 'f', 'c')`,

  constraint: `${relations}
    select c.relation || ' ' || k.conname as name, c.relation, c.root, k.xmin::text,
           jsonb_build_object('definition', pg_get_constraintdef(k.oid), 'valid', k.convalidated, 'deferrable', nullif(k.condeferrable, false),
             'unenforced', nullif(to_jsonb(k) ->> 'conenforced' = 'false', false)) as properties
    from relations c join pg_constraint k on k.conrelid = c.oid where k.contype not in ('n', 't')`,

  index: `${relations}
    select c.relation || ' ' || x.relname as name, c.relation, c.root, i.xmin::text,
           jsonb_build_object('definition', substring(pg_get_indexdef(i.indexrelid) from ' USING .*'),
             'parent', (select p.inhparent::regclass::text from pg_inherits p where p.inhrelid = i.indexrelid),
             'unique', nullif(i.indisunique, false), 'primary', nullif(i.indisprimary, false), 'deferred', nullif(not i.indimmediate, false),
             'usable', i.indisvalid and i.indisready and i.indislive) as properties
    from relations c join pg_index i on i.indrelid = c.oid join pg_class x on x.oid = i.indexrelid
    where c.relkind in ('r', 'p')`,

  trigger: `${relations}
    select c.relation || ' ' || t.tgname as name, c.relation, c.root, t.xmin::text, ${triggerSql('t')} as properties
    from relations c join pg_trigger t on t.tgrelid = c.oid where not t.tgisinternal`,

  rule: `${relations}
    select c.relation || ' ' || r.rulename as name, c.relation, c.root, r.xmin::text,
           jsonb_build_object('event', r.ev_type, 'enabled', r.ev_enabled, 'instead', r.is_instead,
             'definition', v.text, 'printed', v.text) as properties
    from relations c join pg_rewrite r on r.ev_class = c.oid
    cross join lateral (select case when c.relkind in ('v', 'm') and r.rulename = '_RETURN' then pg_get_viewdef(c.oid) else pg_get_ruledef(r.oid) end) v (text)`,

  policy: `${relations}
    select c.relation || ' ' || p.polname as name, c.relation, c.root, p.xmin::text,
           jsonb_build_object('command', p.polcmd, 'restrictive', nullif(not p.polpermissive, false),
             'roles', (select string_agg(case r when 0 then 'public' else r::regrole::text end, ' ' order by r::regrole::text) from unnest(p.polroles) r),
             'using', pg_get_expr(p.polqual, p.polrelid), 'check', pg_get_expr(p.polwithcheck, p.polrelid)) as properties
    from relations c join pg_policy p on p.polrelid = c.oid`,

  type: `
    select n.nspname || '.' || t.typname as name, null as relation, null as root, t.xmin::text,
           jsonb_build_object('kind', t.typtype, 'owner', ${named('t.typowner')},
             'values', (select string_agg(e.enumlabel, ' ' order by e.enumsortorder) from pg_enum e where e.enumtypid = t.oid),
             'base', case when t.typtype = 'd' then format_type(t.typbasetype, t.typtypmod) end,
             'checks', (select string_agg(pg_get_constraintdef(k.oid), ' ' order by k.conname) from pg_constraint k where k.contypid = t.oid and k.contype = 'c'),
             'output', case when t.typtype = 'b' then t.typoutput::text end) as properties
    from pg_type t join pg_namespace n on n.oid = t.typnamespace
    where n.nspname = any ($1) and t.typtype not in ('c', 'p', 'm') and t.typelem = 0`,

  role: `
    select r.rolname as name, null as relation, null as root, '0' as xmin,
           jsonb_build_object('superuser', nullif(r.rolsuper, false), 'bypasses row security', nullif(r.rolbypassrls, false),
             'creates roles', nullif(r.rolcreaterole, false)) as properties
    from pg_roles r where r.rolname ~ '^akashi_' and $1::text[] is not null`,
}

/** Of a row of pg_trigger. Names of transition tables, columns and conditions are what the function gets to see. */
export function triggerSql(alias: string): string {
  return `jsonb_build_object('function', ${alias}.tgfoid::regprocedure::text, 'type', ${alias}.tgtype, 'enabled', ${alias}.tgenabled,
    'condition', case when ${alias}.tgqual is not null then substring(pg_get_triggerdef(${alias}.oid) from ' WHEN (.*) EXECUTE FUNCTION ') end, 'columns', nullif(${alias}.tgattr::text, ''), 'old table', ${alias}.tgoldtable,
    'new table', ${alias}.tgnewtable, 'arguments', nullif(encode(${alias}.tgargs, 'hex'), ''), 'deferrable', nullif(${alias}.tgdeferrable, false),
    'constraint', nullif(${alias}.tgconstraint <> 0, false))`
}

/** Reads every object of the schemas that carry the proof, in the caller's snapshot. */
export async function readCatalog(session: Session): Promise<CatalogObject[]> {
  const objects: CatalogObject[] = []
  for (const [kind, query] of Object.entries(queries)) {
    const { rows } = await session.query<Row>(query, [PROOF_SCHEMAS])
    for (const row of rows) objects.push({ kind, ...row, properties: plain(row.properties) })
  }
  return objects
}

function plain(properties: Row['properties']): Properties {
  return Object.fromEntries(
    Object.entries(properties)
      .filter(([, value]) => value !== null)
      .map(([name, value]) => [
        name,
        TEXTS.has(name)
          ? digestOf(name === 'definition' ? unqualified(restored(String(value))) : restored(String(value)))
          : restored(String(value)),
      ]),
  )
}

/** `in ('a', 'b')` over a varchar, as it is printed before a dump and restore. */
const VARCHAR_LIST = /\(ARRAY\[((?:'(?:[^']|'')*'::character varying(?:, )?)+)\]\)::text\[\]/g
const VARCHAR_ELEMENT = /'(?:[^']|'')*'::character varying/g

/** The text as it is printed after a dump and restore: the server casts each element then, instead of the list. */
function restored(text: string): string {
  return text.replaceAll(
    VARCHAR_LIST,
    (_, list: string) => `ARRAY[${list.replaceAll(VARCHAR_ELEMENT, (element) => `(${element})::text`)}]`,
  )
}

/** Until version 15 columns of a query's only relation are printed with its name, later without. */
function unqualified(text: string): string {
  return text.replaceAll(QUALIFIER, '')
}

/** The first half of the SHA-256 of a text, hexadecimal, each run of white space counted as one space. */
function digestOf(text: string): string {
  return createHash('sha256').update(text.replaceAll(/\s+/g, ' ').trim()).digest('hex').slice(0, 32)
}
