import { AkashiError } from '../../foundation/index.ts'
import { SQLSTATE, sqlState } from '../sqlstate.ts'
import type { DirectSession } from '../types.ts'
import { scramVerifier } from './login-password.ts'

/** Statements that take names and no parameters: the server quotes them. */
async function formatted(session: DirectSession, format: string, values: readonly string[]): Promise<string> {
  const places = values.map((_, index) => `$${index + 2}::text`).join(', ')
  const { rows } = await session.query<{ statement: string }>(`select format($1, ${places}) as statement`, [
    format,
    ...values,
  ])
  return rows[0]?.statement ?? ''
}

/**
 * Creates a login that has no rights but those of one role and to connect.
 * @throws already_exists; forbidden with the right that the administrator lacks
 */
export async function createLogin(
  session: DirectSession,
  { login, password, role }: { readonly login: string; readonly password: string; readonly role: string },
): Promise<void> {
  const { rows } = await session.query<{ exists: boolean; name: string; me: string }>(
    'select exists (select from pg_roles where rolname = $1), quote_ident($1) as name, quote_ident(session_user) as me',
    [login],
  )
  const [found] = rows
  if (found?.exists === true) {
    throw new AkashiError('already_exists', `there is already a role ${found.name}`, {
      hint: 'choose another login, or create a key for this one: akashi context-key create',
    })
  }
  const create = await formatted(
    session,
    'create role %I login nosuperuser nocreatedb nocreaterole noreplication nobypassrls password %L',
    [login, scramVerifier(password)],
  )
  const grant = await formatted(session, 'grant %I to %I', [role, login])
  await session.query('begin')
  try {
    await session.query(create)
    await session.query(grant)
    const { rows: connects } = await session.query<{ statement: string; connects: boolean }>(
      `select format('grant connect on database %I to %I', current_database(), $1::text) as statement,
              has_database_privilege($1, current_database(), 'CONNECT') as connects`,
      [login],
    )
    if (connects[0]?.connects === false) await session.query(connects[0].statement)
    await session.query('commit')
  } catch (error) {
    await session.query('rollback').catch(() => undefined)
    if (sqlState(error) !== SQLSTATE.insufficientPrivilege) throw error
    throw new AkashiError('forbidden', `${found?.me} may not create a login with the role ${role}`, {
      hint: `as a superuser: alter role ${found?.me} createrole; grant ${role} to ${found?.me} with admin option`,
      cause: error,
    })
  }
}

export async function dropLogin(session: DirectSession, login: string): Promise<void> {
  await session.query(await formatted(session, 'drop owned by %I', [login]))
  await session.query(await formatted(session, 'drop role %I', [login]))
}
