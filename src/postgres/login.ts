import { AkashiError } from '../foundation/index.ts'
import { Client, clientConfig } from './client.ts'
import { CONNECT_TIMEOUT_MS } from './limits.ts'
import { requireRoles } from './membership.ts'
import type { DatabaseRole } from './role.ts'
import { execute } from './session.ts'
import { toAkashiError } from './sqlstate.ts'

/**
 * Checks that the login of a URL is suitable for a server: it can act as each of the roles and does not bypass
 * row-level security.
 *
 * @throws AkashiError invalid_config with the statement that grants what is missing
 */
export async function requireServerLogin(url: string, roles: readonly DatabaseRole[]): Promise<void> {
  const client = new Client(clientConfig(url, 'akashi'))
  try {
    await client.connect()
    const { rows } = await execute(
      client,
      'select rolname::text as login, rolsuper or rolbypassrls as bypasses from pg_catalog.pg_roles where rolname = session_user',
      [],
      CONNECT_TIMEOUT_MS,
    )
    if (rows[0]?.bypasses !== false) {
      throw new AkashiError(
        'invalid_config',
        `the login ${rows[0]?.login} bypasses row-level security, which a server must not do`,
        { hint: 'log in as akashi_server, or as another login that is only a member of the roles' },
      )
    }
    await requireRoles(client, roles)
  } catch (error) {
    throw toAkashiError(error)
  } finally {
    await client.end().catch(() => undefined)
  }
}
