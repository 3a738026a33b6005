import { Client, clientConfig } from './client.ts'
import { pinnedSettings, pinText } from './pins.ts'
import { toAkashiError } from './sqlstate.ts'

/** The provider of a managed PostgreSQL service. */
export type Provider = 'rds' | 'aurora' | 'cloudsql' | 'azure'

/** What a PostgreSQL server supports, which decides which parts of Akashi work on it. */
export interface Capabilities {
  /** `18.4` */
  readonly version: string
  readonly login: string
  readonly superuser: boolean
  /** The login may stream WAL and take base backups. */
  readonly replication: boolean
  readonly walLevel: string
  /** Incremental backups need it; null before version 17. */
  readonly walSummaries: boolean | null
  readonly dataChecksums: boolean
  readonly encoding: string
  readonly ctype: string
  /** Quoted where necessary. */
  readonly database: string
  /** Every login may create temporary objects in the database. */
  readonly publicTemporary: boolean
  /** Available extensions that Akashi can use. */
  readonly extensions: readonly string[]
  /** Whether the URL goes through a pooler. */
  readonly pooled: boolean
  /** null: self-hosted, or a service that cannot be recognized. */
  readonly provider: Provider | null
}

type Row = Omit<Capabilities, 'pooled'> & { readonly process: number }

const question = `
  select split_part(current_setting('server_version'), ' ', 1) as version, session_user::text as login,
         r.rolsuper as superuser, r.rolsuper or r.rolreplication as replication,
         current_setting('wal_level') as "walLevel",
         current_setting('summarize_wal', true)::boolean as "walSummaries",
         current_setting('data_checksums')::boolean as "dataChecksums",
         pg_encoding_to_char(d.encoding)::text as encoding, d.datctype::text as ctype,
         quote_ident(d.datname) as database,
         exists (select from aclexplode(coalesce(d.datacl, acldefault('d', d.datdba)))
                 where grantee = 0 and privilege_type = 'TEMPORARY') as "publicTemporary",
         array(select name::text from pg_available_extensions
               where name in ('pg_trgm', 'pg_bigm', 'pgaudit', 'amcheck') order by 1) as extensions,
         case when to_regproc('pg_catalog.aurora_version') is not null then 'aurora'
              when to_regrole('rds_superuser') is not null then 'rds'
              when to_regrole('cloudsqlsuperuser') is not null then 'cloudsql'
              when to_regrole('azure_pg_admin') is not null then 'azure' end as provider,
         pg_backend_pid() as process
  from pg_roles r, pg_database d
  where r.rolname = session_user and d.datname = current_database()`

/** Queries the server of a URL. Read-only. */
export async function readCapabilities(url: string): Promise<Capabilities> {
  const client = new Client(clientConfig(url, 'akashi doctor'))
  try {
    await client.connect()
    // Only for this transaction: a pooler may share the connection.
    await client.query(`begin read only; select ${pinText(pinnedSettings, true)}`)
    const { rows } = await client.query<Row>(question)
    await client.query('commit')
    const [row] = rows
    if (row === undefined) throw new Error('the server does not know its own login')
    const { process, ...found } = row
    // A pooler issues its own cancel key, whose process id differs from the server's.
    return { ...found, pooled: client.backendKey?.processId !== process }
  } catch (error) {
    throw toAkashiError(error)
  } finally {
    await client.end().catch(() => undefined)
  }
}
