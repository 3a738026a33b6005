export {
  type Actor,
  anonymous,
  isPerson,
  linkHolder,
  type Origin,
  operator,
  type Person,
  type PersonInSession,
  person,
  service,
  system,
} from './actor.ts'
export { asAdministrator } from './administrator.ts'
export { foreignHolders, releaseLock, tryLock } from './advisory-lock.ts'
export { parseArray } from './array-text.ts'
export { type Capabilities, type Provider, readCapabilities } from './capabilities.ts'
export { httpsCertificate, type ServerCertificate, serverCertificate } from './certificate.ts'
export type { ContextKey } from './context.ts'
export { type DriverPool, openDriverPool } from './driver-pool.ts'
export * from './embedded/index.ts'
export * from './installation/index.ts'
export { requireServerLogin } from './login.ts'
export * from './migrate/index.ts'
export { type DatabaseOptions, openDatabase } from './pool.ts'
export { readOn, readTogether } from './read-together.ts'
export * from './replication/index.ts'
export type { DatabaseRole } from './role.ts'
export { SQLSTATE, sqlState } from './sqlstate.ts'
export { isOnThisMachine, type ServerAddress, type SslMode, serverAddress } from './tls.ts'
export * from './types.ts'
