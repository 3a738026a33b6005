import type { Config } from '../foundation/index.ts'

/** What starting needs of the configuration. */
export type Settings = Pick<
  Config,
  | 'data'
  | 'host'
  | 'port'
  | 'databaseUrl'
  | 'databaseDirectUrl'
  | 'objectStoreUrl'
  | 'keysUrl'
  | 'keysPassphrase'
  | 'redisUrl'
  | 'clamdUrl'
  | 'poolSize'
  | 'statementTimeoutMs'
  | 'publicUrl'
  | 'trustedProxies'
  | 'breachedPasswords'
  | 'oidcIssuers'
>
