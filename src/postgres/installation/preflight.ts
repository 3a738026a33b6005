import { Client, clientConfig } from '../client.ts'
import { pinnedSettings, pinText } from '../pins.ts'
import { toAkashiError } from '../sqlstate.ts'
import { ownRoles, ownSchemas, SERVER_LOGIN } from './roles.ts'

/** An obstacle, and the statement or change that removes it. */
export interface Obstacle {
  readonly what: string
  readonly hint: string
}

/** What an administrator's login finds in a database before anything is changed. */
export interface Preflight {
  readonly database: string
  readonly login: string
  readonly superuser: boolean
  /** `18.4` */
  readonly version: string
  /** Akashi's tables are there. */
  readonly installed: boolean
  readonly missingRoles: readonly string[]
  readonly serverLoginExists: boolean
  readonly obstacles: readonly Obstacle[]
  /** What works less well than it could. */
  readonly remarks: readonly string[]
}

const OLDEST_VERSION = 150_000
const NEWEST_VERSION = 189_999

interface Facts {
  readonly process: number
  readonly database: string
  /** Quoted where necessary, as in statements. */
  readonly databaseName: string
  readonly login: string
  readonly loginName: string
  readonly versionNumber: number
  readonly version: string
  readonly encoding: string
  readonly walLevel: string
  readonly standby: boolean
  readonly readOnly: boolean
  readonly superuser: boolean
  readonly createRole: boolean
  readonly create: boolean
  readonly schemas: readonly string[]
  readonly history: boolean
  readonly roles: readonly {
    readonly name: string
    readonly usable: boolean
    readonly grantable: boolean
    readonly unsafe: boolean
  }[]
  readonly serverMayReplicate: boolean
}

const factsSql = `
  select pg_backend_pid() as process, d.datname::text as database, quote_ident(d.datname) as "databaseName",
         session_user::text as login, quote_ident(session_user) as "loginName",
         current_setting('server_version_num')::integer as "versionNumber",
         split_part(current_setting('server_version'), ' ', 1) as version,
         pg_encoding_to_char(d.encoding)::text as encoding, current_setting('wal_level') as "walLevel",
         pg_is_in_recovery() as standby,
         coalesce((select 'default_transaction_read_only=on' = any (s.setconfig) from pg_db_role_setting s
                   where s.setdatabase = d.oid and s.setrole = 0), false) as "readOnly",
         me.rolsuper as superuser, me.rolsuper or me.rolcreaterole as "createRole",
         has_database_privilege(session_user, d.oid, 'CREATE WITH GRANT OPTION') as create,
         array(select nspname::text from pg_namespace where nspname = any ($2) order by nspname) as schemas,
         to_regclass('akashi_lifecycle.schema_migrations') is not null as history,
         coalesce((select json_agg(json_build_object('name', r.rolname,
             'usable', pg_has_role(session_user, r.oid, 'USAGE'),
             'grantable', me.rolsuper or pg_has_role(session_user, r.oid, 'USAGE WITH ADMIN OPTION')
                          or (current_setting('server_version_num')::integer < 160000 and me.rolcreaterole),
             'unsafe', r.rolsuper or r.rolbypassrls) order by r.rolname)
           from pg_roles r where r.rolname = any ($1)), '[]'::json) as roles,
         coalesce((select rolreplication from pg_roles where rolname = $3), false) as "serverMayReplicate"
  from pg_roles me, pg_database d
  where me.rolname = session_user and d.datname = current_database()`

/** Examines a database as the administrator in the URL. Changes nothing. @throws what a connection throws */
export async function inspectDatabase(url: string): Promise<Preflight> {
  const client = new Client(clientConfig(url, 'akashi init'))
  try {
    await client.connect()
    // Only for this transaction: a pooler may share the connection.
    await client.query(`begin read only; select ${pinText(pinnedSettings, true)}`)
    const { rows } = await client.query<Facts>(factsSql, [ownRoles, ownSchemas, SERVER_LOGIN])
    await client.query('commit')
    const [facts] = rows
    if (facts === undefined) throw new Error('the server does not know its own login')
    // A pooler issues a cancel key of its own, whose process id differs from the server's.
    return judge(facts, client.backendKey?.processId !== facts.process)
  } catch (error) {
    throw toAkashiError(error)
  } finally {
    await client.end().catch(() => undefined)
  }
}

function judge(facts: Facts, pooled: boolean): Preflight {
  const { database, login, superuser, version, history } = facts
  const known = new Map(facts.roles.map((role) => [role.name, role]))
  const missingRoles = ownRoles.filter((name) => !known.has(name))
  return {
    database,
    login,
    superuser,
    version,
    installed: history,
    missingRoles,
    serverLoginExists: known.has(SERVER_LOGIN),
    obstacles: [
      ...ofServer(facts, pooled),
      ...ofRights(facts, missingRoles),
      ...ofNames(facts, missingRoles),
    ],
    remarks: remarksOn(facts),
  }
}

function ofServer(facts: Facts, pooled: boolean): Obstacle[] {
  const { versionNumber, version, encoding, standby, readOnly, databaseName } = facts
  const found: Obstacle[] = []
  if (pooled) {
    found.push({
      what: 'the URL goes through a connection pooler',
      hint: 'give the address of the server itself, in DATABASE_DIRECT_URL if DATABASE_URL is the pooler',
    })
  }
  if (versionNumber < OLDEST_VERSION || versionNumber > NEWEST_VERSION) {
    found.push({ what: `the server is PostgreSQL ${version}`, hint: 'use PostgreSQL 15 to 18' })
  }
  if (encoding !== 'UTF8') {
    found.push({
      what: `the encoding of database ${databaseName} is ${encoding}`,
      hint: "create a database with encoding 'UTF8' (template template0) and move the data there",
    })
  }
  if (standby) found.push({ what: 'the server is a standby', hint: 'give the address of the primary' })
  if (readOnly) {
    found.push({
      what: `database ${databaseName} is read-only by default`,
      hint: `alter database ${databaseName} reset default_transaction_read_only`,
    })
  }
  return found
}

function ofRights(facts: Facts, missingRoles: readonly string[]): Obstacle[] {
  const { superuser, createRole, create, databaseName, loginName, roles } = facts
  if (superuser) return []
  const found: Obstacle[] = []
  if (!create) {
    found.push({
      what: `${loginName} may not create schemas and a publication in database ${databaseName}`,
      hint: `grant create on database ${databaseName} to ${loginName} with grant option`,
    })
  }
  if (missingRoles.length > 0 && !createRole) {
    found.push({ what: `${loginName} may not create roles`, hint: `alter role ${loginName} createrole` })
  }
  const foreign = roles.filter(
    ({ name, usable, grantable }) => !(grantable || (usable && name !== SERVER_LOGIN)),
  )
  if (foreign.length > 0) {
    const names = foreign.map(({ name }) => name).join(', ')
    found.push({
      what: `the roles ${names} were created by another administrator of the server`,
      hint: `as that administrator or a superuser: grant ${names} to ${loginName} with admin option`,
    })
  }
  return found
}

function ofNames(facts: Facts, missingRoles: readonly string[]): Obstacle[] {
  const { schemas, history, roles } = facts
  const found: Obstacle[] = []
  if (!history && schemas.length > 0 && schemas.some((name) => name !== 'akashi_lifecycle')) {
    found.push({
      what: `schemas with the names of Akashi's schemas exist but are not Akashi's: ${schemas.join(', ')}`,
      hint: `rename them: alter schema ${schemas[0]} rename to …`,
    })
  }
  if (history && missingRoles.length > 0) {
    found.push({
      what: `the database has Akashi's schemas, but the server has no role ${missingRoles.join(', ')}`,
      hint: 'the database was copied from another server: restore it with akashi restore, or create the roles first (create role …)',
    })
  }
  const unsafe = roles.filter((role) => role.unsafe).map(({ name }) => name)
  if (unsafe.length > 0) {
    found.push({
      what: `${unsafe.join(', ')} bypasses row-level security`,
      hint: unsafe.map((name) => `alter role ${name} nosuperuser nobypassrls`).join('; '),
    })
  }
  return found
}

function remarksOn({ walLevel, serverMayReplicate, version }: Facts): string[] {
  const remarks: string[] = []
  if (walLevel === 'minimal') {
    remarks.push(
      'wal_level is minimal, so backups cannot stream: set wal_level = replica and restart the server',
    )
  }
  if (!serverMayReplicate) {
    remarks.push(
      `backups need: alter role ${SERVER_LOGIN} replication (it may then read everything that the server stores; on a managed service, use the provider's backups)`,
    )
  }
  if (Number.parseInt(version, 10) < 17)
    remarks.push(`PostgreSQL ${version} has no incremental backups (17 and newer have)`)
  return remarks
}
