export { freePort, type LocalServer, startLocalServer } from './local-server.ts'
export { hasPgBouncer, type Pooler, startPgBouncer } from './pgbouncer.ts'
export { CONTEXT_KEY, MIGRATIONS } from './settings.ts'
export { type EmptyDatabase, emptyDatabase, type TestDatabase, testDatabase } from './test-database.ts'
