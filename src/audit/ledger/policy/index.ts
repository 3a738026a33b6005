export { currentPolicy } from './format.ts'
export { parsePolicy, readPolicy } from './parse.ts'
export { type Policy, type PolicyWitness, policyKeys, type Quorum, quorumMet } from './policy.ts'
export { gatherTrust, type Trust, witnessedNotes } from './verify-trust.ts'
