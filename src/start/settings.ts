import type { Config } from '../foundation/index.ts'

/** The part of the configuration that this context uses. */
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
  | 'policy'
  | 'poolSize'
  | 'statementTimeoutMs'
  | 'publicUrl'
  | 'trustedProxies'
  | 'breachedPasswords'
  | 'oidcIssuers'
>
