import type { Config } from '../foundation/index.ts'

/** What starting needs of the configuration. */
export type Settings = Pick<
  Config,
  | 'appName'
  | 'appVersion'
  | 'appTier'
  | 'appEnvironment'
  | 'data'
  | 'host'
  | 'port'
  | 'databaseUrl'
  | 'databaseDirectUrl'
  | 'objectStoreUrl'
  | 'azureConnectionString'
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
