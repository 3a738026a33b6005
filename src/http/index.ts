export { buildApp } from './app.ts'
export { type HttpLimits, httpLimits } from './limits.ts'
export type { BackupServices, DependencyState, Identity, Services } from './services.ts'
export type { ThreadState } from './thread-state.ts'
