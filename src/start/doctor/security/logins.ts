/**
 * Logins that row-level security and the protection of the record do not restrict, and how passwords are
 * stored.
 */
import type { DirectSession } from '../../../postgres/index.ts'
import type { Check, Finding } from '../check.ts'
import { onDatabase } from '../on-database.ts'
import { type HbaRule, hbaRules } from './transport.ts'

export interface LoginFacts {
  readonly name: string
  /** Such as superuser, createrole; what ordinary logins lack. */
  readonly rights: readonly string[]
  /** A member of a role that owns Akashi's tables. */
  readonly ownsAkashi: boolean
  /** Owns tables under audit, or programs other than Akashi and its tools are connected with it. */
  readonly ofApplication: boolean
  /** The cluster's first superuser, or the owner of the database: some login has to administer it. */
  readonly administrator: boolean
}

export const logins: Check = {
  name: 'logins',
  run: onDatabase('owner', async (database) => judgeLogins(await database.direct(readLogins))),
}

/** The oid of the superuser that initdb makes. */
const BOOTSTRAP_OID = 10

async function readLogins(session: DirectSession): Promise<LoginFacts[]> {
  const { rows } = await session.query<LoginFacts>(
    `select quote_ident(r.rolname) as name,
            array_remove(array[case when r.rolsuper then 'superuser' end, case when r.rolcreaterole then 'createrole' end,
              case when r.rolbypassrls then 'bypassrls' end], null) as rights,
            not r.rolsuper and (pg_has_role(r.oid, to_regrole('akashi_owner'), 'MEMBER') or pg_has_role(r.oid, to_regrole('akashi_policy'), 'MEMBER')) as "ownsAkashi",
            exists (select from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_proc p on p.oid = t.tgfoid
                    where p.pronamespace = to_regnamespace('akashi_audit') and c.relowner = r.oid)
              or exists (select from pg_stat_activity a where a.usesysid = r.oid and a.datname = current_database()
                         and a.backend_type = 'client backend' and a.application_name !~* '^(akashi|psql|pgadmin|dbeaver|pg_dump|pg_basebackup)') as "ofApplication",
            r.oid = $1 or r.oid = (select d.datdba from pg_database d where d.datname = current_database()) as administrator
     from pg_roles r
     where r.rolcanlogin and r.rolname !~ '^(rds|cloudsql|azure|alloydb)' order by 1`,
    [BOOTSTRAP_OID],
  )
  return rows
}

export function judgeLogins(found: readonly LoginFacts[]): Finding {
  const problems = found.flatMap(({ name, rights, ownsAkashi, ofApplication, administrator }) => {
    const akashi = name.startsWith('akashi_')
    if (rights.length > 0 && (akashi || (ofApplication && !administrator))) {
      const no = rights.map((right) => `no${right}`).join(' ')
      return [
        {
          what: `${akashi ? '' : "the application's login "}${name} has ${rights.join(', ')}`,
          fix: `alter role ${name} ${no}`,
        },
      ]
    }
    if (rights.length > 0 && ofApplication) {
      return [
        {
          what: `the application connects as the administrator ${name} (${rights.join(', ')})`,
          fix: 'give it its own login: create role app login; grant it the tables it needs',
        },
      ]
    }
    if (ownsAkashi && (akashi || ofApplication || !administrator)) {
      return [
        {
          what: `${name} may act as the owner of the record`,
          fix: `revoke akashi_owner, akashi_policy from ${name}`,
        },
      ]
    }
    return []
  })
  if (problems.length > 0) {
    return {
      ok: false,
      detail: problems.map(({ what }) => what).join('; '),
      hint: problems.map(({ fix }) => fix).join('; '),
    }
  }
  const strong = found.filter(({ rights }) => rights.length > 0)
  return {
    ok: true,
    detail: `${found.length} logins; beyond row-level security: ${strong.length === 0 ? 'none' : strong.map(({ name }) => name).join(', ')}`,
  }
}

interface PasswordFacts {
  readonly encryption: string
  /** Logins whose password is stored as an MD5 hash; null if the current login may not read them. */
  readonly md5: readonly string[] | null
  readonly rules: readonly HbaRule[] | null
}

export const passwords: Check = {
  name: 'passwords of logins',
  run: onDatabase('owner', async (database) => judgePasswords(await database.direct(readPasswords))),
}

async function readPasswords(session: DirectSession): Promise<PasswordFacts> {
  const { rows } = await session.query<{ encryption: string; may: boolean }>(
    `select current_setting('password_encryption') as encryption, has_table_privilege('pg_catalog.pg_authid', 'select') as may`,
  )
  const md5 =
    rows[0]?.may === true
      ? (
          await session.query<{ name: string }>(
            `select quote_ident(rolname) as name from pg_authid where rolcanlogin and rolpassword like 'md5%' order by 1`,
          )
        ).rows.map(({ name }) => name)
      : null
  return { encryption: rows[0]?.encryption ?? '', md5, rules: await hbaRules(session) }
}

/** Methods that need no credentials, or send the password in plain text. */
const WEAK = new Set(['trust', 'password', 'ident'])

export function judgePasswords({ encryption, md5, rules }: PasswordFacts): Finding {
  const weak = (rules ?? []).filter(({ method }) => WEAK.has(method))
  if (weak.length > 0) {
    return {
      ok: false,
      detail: `pg_hba.conf admits logins without a proven password: ${weak.map(({ line, type, address, method }) => `line ${line} (${[type, address, method].filter((part) => part !== '').join(' ')})`).join(', ')}`,
      hint: 'write scram-sha-256 there, then select pg_reload_conf()',
    }
  }
  if (encryption !== 'scram-sha-256') {
    return {
      ok: false,
      detail: `new passwords are stored as ${encryption}`,
      hint: "alter system set password_encryption = 'scram-sha-256'; select pg_reload_conf(); then set each password again",
    }
  }
  if ((md5 ?? []).length > 0) {
    return {
      ok: false,
      detail: `the passwords of ${md5?.join(', ')} are stored as MD5 hashes, which are as good as the password itself`,
      hint: 'set each of them again (\\password in psql): it is then kept as scram-sha-256',
    }
  }
  const unseen = md5 === null || rules === null ? '; this login may not read all of it' : ''
  return { ok: true, detail: `stored as scram-sha-256, and required by every rule${unseen}` }
}
