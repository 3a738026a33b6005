/**
 * What a new password must be. Length and known lists decide; composition rules and forced rotation are
 * there for whoever must have them, and off (ASVS 5.0 6.2.5, 6.2.10; NIST SP 800-63B).
 */
import { z } from 'zod'
import type { BreachedPasswords } from './breached.ts'
import { MAX_PASSWORD_CHARACTERS, type Passwords } from './hash.ts'

const DEFAULT_MIN_CHARACTERS = 12
/** ASVS 5.0 6.2.1: never less. */
const LEAST_CHARACTERS = 8
const DEFAULT_HISTORY = 5
const MAX_HISTORY = 24
/** Characters of a name that must not be in a password; shorter ones would forbid too much. */
const MIN_NAME_CHARACTERS = 4

export const passwordPolicySchema = z.object({
  /** Characters, not bytes. */
  minLength: z.int().min(LEAST_CHARACTERS).max(MAX_PASSWORD_CHARACTERS).default(DEFAULT_MIN_CHARACTERS),
  requireUppercase: z.boolean().default(false),
  requireLowercase: z.boolean().default(false),
  requireDigit: z.boolean().default(false),
  requireSymbol: z.boolean().default(false),
  /** Refuses passwords of the breached list. */
  refuseBreached: z.boolean().default(true),
  /** Former passwords that may not come back, the present one included. */
  history: z.int().min(0).max(MAX_HISTORY).default(DEFAULT_HISTORY),
  /** Days after which a password must be changed; null is never. */
  maxAgeDays: z.int().min(1).nullable().default(null),
})

export type PasswordPolicy = Readonly<z.output<typeof passwordPolicySchema>>

export const defaultPasswordPolicy: PasswordPolicy = passwordPolicySchema.parse({})

export type PasswordFault =
  | 'too_short'
  | 'too_long'
  | 'needs_uppercase'
  | 'needs_lowercase'
  | 'needs_digit'
  | 'needs_symbol'
  | 'contains_name'
  | 'breached'
  | 'used_before'

export interface Candidate {
  readonly password: string
  /** What is known of the person: username, the local part of the e-mail, the name of the product. */
  readonly names: readonly string[]
  /** Hashes of former passwords, newest first. */
  readonly history: readonly string[]
}

/** Everything that is wrong with a new password; empty when it may be used. */
export async function passwordFaults(
  candidate: Candidate,
  policy: PasswordPolicy,
  tools: {
    readonly breached: BreachedPasswords
    readonly passwords: Passwords
    readonly signal?: AbortSignal
  },
): Promise<PasswordFault[]> {
  const { password, names, history } = candidate
  const characters = [...password].length
  const lower = password.toLowerCase()
  const faults: PasswordFault[] = []
  const refuse = (fault: PasswordFault, when: boolean) => {
    if (when) faults.push(fault)
  }
  refuse('too_short', characters < policy.minLength)
  refuse('too_long', password.length > MAX_PASSWORD_CHARACTERS)
  refuse('needs_uppercase', policy.requireUppercase && !/\p{Lu}/u.test(password))
  refuse('needs_lowercase', policy.requireLowercase && !/\p{Ll}/u.test(password))
  refuse('needs_digit', policy.requireDigit && !/\p{Nd}/u.test(password))
  refuse('needs_symbol', policy.requireSymbol && !/[\p{P}\p{S}]/u.test(password))
  refuse(
    'contains_name',
    names.some((name) => name.length >= MIN_NAME_CHARACTERS && lower.includes(name.toLowerCase())),
  )
  if (faults.length === 0 && policy.refuseBreached) {
    refuse('breached', await tools.breached.has(password))
  }
  // The costly question last, and only for a password that would do otherwise.
  if (faults.length === 0) {
    for (const former of history.slice(0, policy.history)) {
      const { matches } = await tools.passwords.verify(former, password, tools.signal)
      if (matches) return ['used_before']
    }
  }
  return faults
}
