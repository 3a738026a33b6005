/**
 * Which logs, keys and witnesses are trusted, as the C2SP tlog-policy of a file says: from outside the database, its keys
 * and its object store.
 */
import type { VerifierKey } from '../../../keys/index.ts'
import type { LogKey } from '../verifier-keys.ts'

export interface Policy {
  /** The name of a key is the origin of its log. */
  readonly logs: readonly VerifierKey[]
  readonly witnesses: readonly PolicyWitness[]
  readonly quorum: Quorum
}

export interface PolicyWitness {
  /** Only meaningful within the policy. */
  readonly name: string
  readonly key: VerifierKey
  readonly url: string | null
}

/** Whose cosignatures a checkpoint needs. */
export type Quorum =
  | { readonly kind: 'none' }
  | { readonly kind: 'witness'; readonly witness: PolicyWitness }
  | { readonly kind: 'group'; readonly threshold: number; readonly members: readonly Quorum[] }

/** Whether these witnesses suffice. */
export function quorumMet(quorum: Quorum, cosigned: (witness: PolicyWitness) => boolean): boolean {
  if (quorum.kind === 'none') return true
  if (quorum.kind === 'witness') return cosigned(quorum.witness)
  return quorum.members.filter((member) => quorumMet(member, cosigned)).length >= quorum.threshold
}

/** The keys that the policy pins for an origin, the oldest first: for one that it does not name, none. */
export function policyKeys(policy: Policy): (origin: string) => Promise<LogKey[]> {
  // No key of a policy is so new that a rotation could be under way.
  const createdAt = new Date(0)
  return (origin) =>
    Promise.resolve(policy.logs.filter(({ name }) => name === origin).map((key) => ({ ...key, createdAt })))
}

export function sameKey(one: VerifierKey, other: VerifierKey): boolean {
  return one.name === other.name && Buffer.from(one.publicKey).equals(other.publicKey)
}
