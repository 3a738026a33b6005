export { buildApp } from './app.ts'
export { type HttpLimits, httpLimits } from './limits.ts'
export { httpErrors } from './problem.ts'
export type { BackupServices, DependencyState, Identity, Services } from './services.ts'
