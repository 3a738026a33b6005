export { appOf } from './app.ts'
export { type ConfigSources, loadConfig } from './load.ts'
export type { OidcIssuer } from './oidc-issuers.ts'
export {
  type Config,
  POOL_SIZE,
  type SettingName,
  STATEMENT_TIMEOUT_MS,
  settingNames,
  settingOf,
} from './settings.ts'
export { DEFAULT_CONFIG_FILE, type Environment, flagOf } from './sources.ts'
