/**
 * Checks new passwords by the policies of `akashi_auth.security_policies`: length and known lists. Composition rules
 * and forced rotation exist for organisations that must have them, and are off by default (ASVS 5.0 6.2.5, 6.2.10).
 */
import type { BreachedPasswords } from './breached.ts'
import type { Passwords } from './hash.ts'

/** Minimum characters of a name that a password must not contain; shorter ones would exclude too much. */
const MIN_NAME_CHARACTERS = 4

export interface PasswordPolicy {
  /** Characters, not bytes. */
  readonly minLength: number
  readonly maxLength: number
  /** Letters of both cases, digits and signs are required. */
  readonly requireComposition: boolean
  readonly checkBreached: boolean
  /** Number of former passwords that cannot be reused, besides the current one. */
  readonly history: number
}

const composition = [/\p{Lu}/u, /\p{Ll}/u, /\p{Nd}/u, /[\p{P}\p{S}]/u]

export type PasswordFault =
  | 'too_short'
  | 'too_long'
  | 'needs_letters_digits_and_signs'
  | 'contains_name'
  | 'breached'
  | 'used_before'

export interface Candidate {
  readonly password: string
  /** Names related to the person: username, local part of the e-mail address, product name. */
  readonly names: readonly string[]
  /** Hashes of the current password and of former ones, newest first. */
  readonly history: readonly string[]
}

/** All faults of a new password; empty when it is acceptable. */
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
  refuse('too_long', characters > policy.maxLength)
  refuse(
    'needs_letters_digits_and_signs',
    policy.requireComposition && !composition.every((kind) => kind.test(password)),
  )
  refuse(
    'contains_name',
    names.some((name) => name.length >= MIN_NAME_CHARACTERS && lower.includes(name.toLowerCase())),
  )
  if (faults.length === 0 && policy.checkBreached) {
    refuse('breached', await tools.breached.has(password))
  }
  // The expensive check comes last, only for passwords that are otherwise acceptable.
  if (faults.length === 0) {
    for (const former of history.slice(0, policy.history + 1)) {
      const { matches } = await tools.passwords.verify(former, password, tools.signal)
      if (matches) return ['used_before']
    }
  }
  return faults
}
