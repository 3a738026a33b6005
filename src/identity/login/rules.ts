import { z } from 'zod'
import type { Session } from '../../postgres/index.ts'
import type { PasswordPolicy } from '../passwords/index.ts'

const rows = z.object({
  'password.local_login': z.boolean(),
  'password.min_length': z.int(),
  'password.max_length': z.int(),
  'password.history': z.int(),
  'password.check_breached': z.boolean(),
  'password.require_composition': z.boolean(),
  'session.step_up_minutes': z.int(),
  'mfa.totp_skew_steps': z.int(),
  'mfa.recovery_codes': z.int(),
})

/** The policies of `akashi_auth.security_policies` for sign-in; the others are read in SQL. */
export interface LoginRules {
  readonly localLogin: boolean
  readonly password: PasswordPolicy
  readonly stepUpMinutes: number
  readonly totpSkewSteps: number
  readonly recoveryCodes: number
}

export async function readLoginRules(session: Session): Promise<LoginRules> {
  const found = await session.query<{ key: string; value: unknown }>(
    'select key, value from akashi_auth.security_policies where key = any ($1)',
    [Object.keys(rows.shape)],
  )
  const rule = rows.parse(Object.fromEntries(found.rows.map(({ key, value }) => [key, value])))
  return {
    localLogin: rule['password.local_login'],
    password: {
      minLength: rule['password.min_length'],
      maxLength: rule['password.max_length'],
      history: rule['password.history'],
      checkBreached: rule['password.check_breached'],
      requireComposition: rule['password.require_composition'],
    },
    stepUpMinutes: rule['session.step_up_minutes'],
    totpSkewSteps: rule['mfa.totp_skew_steps'],
    recoveryCodes: rule['mfa.recovery_codes'],
  }
}
