import type { App } from '../app.ts'
import type { Config } from './settings.ts'

export function appOf(config: Pick<Config, 'appName' | 'appVersion' | 'appTier' | 'appEnvironment'>): App {
  const { appName, appVersion, appTier, appEnvironment } = config
  return { name: appName, version: appVersion, tier: appTier, environment: appEnvironment }
}
