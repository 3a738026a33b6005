export { listPolicies, type Policy, type PolicyValue, setPolicy } from './policies.ts'
