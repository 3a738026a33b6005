import { resolve } from 'node:path'
import { AkashiError } from '../errors.ts'
import { redactText } from '../redact.ts'
import { type Config, configSchema, type SettingName, settingNames, settingOf } from './settings.ts'
import { type Environment, type RawSetting, readConfigFile, readEnvironment, readFlags } from './sources.ts'

export interface ConfigSources {
  /** Command-line options by setting name; other options are ignored. */
  readonly flags?: Readonly<Record<string, unknown>>
  /** The file of `--config`, relative to `directory`. */
  readonly configFile?: string | undefined
  readonly environment: Environment
  /** Folder against which relative paths in flags and environment variables are resolved. */
  readonly directory: string
}

/**
 * Flags override the environment, the environment the file, the file the defaults.
 * `invalid_config` lists every mistake of every source, one per line, and never includes a secret.
 */
export async function loadConfig(sources: ConfigSources): Promise<Config> {
  const { flags = {}, configFile, environment, directory } = sources
  const ordered = [
    await readConfigFile(configFile, environment, directory),
    await readEnvironment(environment, directory),
    readFlags(flags, directory),
  ]
  const mistakes = ordered.flatMap((source) => source.mistakes)
  const values: Partial<Record<SettingName, unknown>> = {}
  for (const { given } of ordered) {
    for (const name of settingNames) {
      const one = given[name]
      if (one === undefined) continue
      // Overridden values are checked too: they would fail as soon as the override is removed.
      const mistake = mistakeOf(name, one)
      if (mistake !== undefined) mistakes.push(mistake)
      values[name] = one.value
    }
  }
  if (mistakes.length > 0) throw invalidConfig(mistakes)
  const config = configSchema.parse(values)
  return { ...config, data: resolve(directory, config.data) }
}

function mistakeOf(name: SettingName, given: RawSetting): string | undefined {
  if (configSchema.shape[name].safeParse(given.value).success) return undefined
  const setting = settingOf(name)
  const got = setting.secret === true ? '' : `, not ${redactText(JSON.stringify(given.value))}`
  return `${given.origin} must be ${setting.accepts}${got}`
}

function invalidConfig(mistakes: readonly string[]): AkashiError {
  const [first = ''] = mistakes
  const message =
    mistakes.length === 1 ? first : `${mistakes.length} settings are wrong:\n${mistakes.join('\n')}`
  return new AkashiError('invalid_config', message, {
    hint: 'docs/configuration.md lists every setting',
    detail: { mistakes },
  })
}
