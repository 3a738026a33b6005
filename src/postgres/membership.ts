import { AkashiError } from '../foundation/index.ts'
import type { Client } from './client.ts'
import { CONNECT_TIMEOUT_MS } from './limits.ts'
import { pinnedSettings, pinText } from './pins.ts'
import { type DatabaseRole, roleName } from './role.ts'
import { execute } from './session.ts'

interface Standing {
  readonly role: string
  readonly exists: boolean
  readonly bypasses: boolean
  readonly member: boolean
  readonly login: string
  /** The statement that makes the login a member of every role that it lacks. */
  readonly grant: string
}

/** Since version 16 a membership may lack the SET option that SET ROLE requires. */
const standingSql = `
  select s.*, format('grant %s to %I%s', string_agg(s.role, ', ') filter (where not s.member) over (), s.login,
                     case when s.options then ' with set true' end) as "grant"
  from (
    select wanted.role, r.oid is not null as exists, coalesce(r.rolsuper or r.rolbypassrls, false) as bypasses,
           coalesce(pg_has_role(session_user, r.oid, case when v.options then 'SET' else 'MEMBER' end), false) as member,
           session_user::text as login, v.options
    from unnest($1::text[]) wanted (role)
    left join pg_catalog.pg_roles r on r.rolname = wanted.role
    cross join (select current_setting('server_version_num')::integer >= 160000 as options) v
  ) s`

/**
 * Checks that the login of the connection can act as each of the roles.
 *
 * @throws AkashiError invalid_config when it is not a member of a role, when a role does not exist, or when
 *   a role bypasses row-level security, which would show every caller every row
 */
export async function requireRoles(client: Client, roles: readonly DatabaseRole[]): Promise<void> {
  // Only for this transaction: a pooler may share the connection.
  await execute(client, `begin read only; select ${pinText(pinnedSettings, true)}`, [], CONNECT_TIMEOUT_MS)
  const result = await execute(client, standingSql, [roles.map(roleName)], CONNECT_TIMEOUT_MS)
  await execute(client, 'commit', [], CONNECT_TIMEOUT_MS)
  const standings: readonly Standing[] = result.rows
  const named = (bad: (standing: Standing) => boolean) =>
    standings
      .filter(bad)
      .map(({ role }) => role)
      .join(', ')
  const absent = named(({ exists }) => !exists)
  if (absent !== '') {
    throw new AkashiError('invalid_config', `the database has no role ${absent}`, {
      hint: 'run akashi migrate up',
    })
  }
  const foreign = named(({ member }) => !member)
  if (foreign !== '') {
    throw new AkashiError(
      'invalid_config',
      `the login ${standings[0]?.login} is not a member of ${foreign}`,
      {
        hint: standings[0]?.grant ?? '',
      },
    )
  }
  const bypassing = named(({ bypasses }) => bypasses)
  if (bypassing !== '') {
    throw new AkashiError('invalid_config', `${bypassing} bypasses row-level security`, {
      hint: `alter role ${bypassing} nosuperuser nobypassrls`,
    })
  }
}
