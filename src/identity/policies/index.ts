export { listPolicies, setPolicy } from './policies.ts'
