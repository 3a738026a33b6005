import { resolve } from 'node:path'
import { AkashiError } from '../errors.ts'
import { redactText } from '../redact.ts'
import { type Config, configSchema, type SettingName, settingNames, settingOf } from './settings.ts'
import { type Environment, type Given, readConfigFile, readEnvironment, readFlags } from './sources.ts'

export interface ConfigSources {
  /** Options of the command line by setting name; what is no setting is left alone. */
  readonly flags?: Readonly<Record<string, unknown>>
  /** The file of `--config`, relative to `directory`. */
  readonly configFile?: string | undefined
  readonly environment: Environment
  /** Folder that relative paths of flags and environment start from. */
  readonly directory: string
}

/**
 * Flags go before the environment, the environment before the file, the file before the defaults.
 * `invalid_config` tells every mistake of every source, one line each, and repeats no secret.
 */
export async function loadConfig(sources: ConfigSources): Promise<Config> {
  const { flags = {}, configFile, environment, directory } = sources
  const ordered = [
    await readConfigFile(configFile, environment, directory),
    readEnvironment(environment, directory),
    readFlags(flags, directory),
  ]
  const mistakes = ordered.flatMap((source) => source.mistakes)
  const values: Partial<Record<SettingName, unknown>> = {}
  for (const { given } of ordered) {
    for (const name of settingNames) {
      const one = given[name]
      if (one === undefined) continue
      // What a stronger source overrules is checked all the same: it is a mistake that waits.
      const mistake = mistakeOf(name, one)
      if (mistake !== undefined) mistakes.push(mistake)
      values[name] = one.value
    }
  }
  if (mistakes.length > 0) throw invalidConfig(mistakes)
  const config = configSchema.parse(values)
  return { ...config, data: resolve(directory, config.data) }
}

function mistakeOf(name: SettingName, given: Given): string | undefined {
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
