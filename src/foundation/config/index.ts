export { type ConfigSources, loadConfig } from './load.ts'
export type { OidcIssuer } from './oidc-issuers.ts'
export {
  appOf,
  type Config,
  type SettingName,
  settingNames,
  settingOf,
} from './settings.ts'
export { DEFAULT_CONFIG_FILE, type Environment, flagOf } from './sources.ts'
