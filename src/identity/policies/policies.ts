/** Security policies for passwords, sessions, second factors and API keys, stored in the database. */
import type { SecurityPolicy } from '@akashi/contract'
import { AkashiError } from '../../foundation/index.ts'
import type { Actor, Database } from '../../postgres/index.ts'

export async function listPolicies(database: Database, actor: Actor): Promise<SecurityPolicy[]> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<SecurityPolicy>(
        `select key, category, value, default_value as "defaultValue", value_type as "valueType",
           minimum::float8, maximum::float8, allowed, unit, description, updated_at as "updatedAt",
           last_modified_by as "lastModifiedBy"
         from akashi_auth.security_policies order by key`,
      ),
    { readOnly: true },
  )
  return rows
}

/**
 * Changes a policy, or resets it to its default. Recorded in the audit trail and as a security event.
 *
 * @throws AkashiError forbidden without auth_config:write, not_found, invalid_input for a value out of range
 */
export async function setPolicy(
  database: Database,
  actor: Actor,
  key: string,
  value?: SecurityPolicy['value'],
): Promise<SecurityPolicy> {
  const known = (await listPolicies(database, actor)).find((policy) => policy.key === key)
  if (known === undefined) {
    throw new AkashiError('not_found', `policy not found: ${key}`, {
      hint: 'list them with akashi policies list',
    })
  }
  try {
    await database.transaction(actor, (session) =>
      session.query('select akashi_auth.set_policy($1, $2)', [
        key,
        JSON.stringify(value ?? known.defaultValue),
      ]),
    )
  } catch (error) {
    if (error instanceof AkashiError && error.detail['constraint'] === 'security_policies_value_check') {
      throw new AkashiError('invalid_input', `the value is not valid for the policy ${key}`, {
        hint: rangeOf(known),
        cause: error,
      })
    }
    throw error
  }
  const changed = (await listPolicies(database, actor)).find((policy) => policy.key === key)
  return changed ?? known
}

function rangeOf({ valueType, minimum, maximum, allowed, unit }: SecurityPolicy): string {
  if (valueType === 'integer') return `a whole number of ${unit ?? 'units'} from ${minimum} to ${maximum}`
  if (valueType === 'boolean') return 'true or false'
  return allowed === null ? 'a text' : `one or more of ${allowed.join(', ')}`
}
