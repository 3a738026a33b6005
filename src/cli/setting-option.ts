import { type Command, Option } from 'commander'
import { flagOf, type SettingName, settingOf } from '../foundation/index.ts'

/** A flag for a setting, which the environment and the configuration file can set too. */
export class SettingOption extends Option {
  readonly setting: SettingName

  /** @param ownDefault replaces the setting's default for one command */
  constructor(setting: SettingName, ownDefault?: string) {
    const { flag, meaning, default: fallback } = settingOf(setting)
    if (flag === undefined) throw new Error(`the setting ${setting} has no flag`)
    const text = meaning.replaceAll('`', '').replace(/\.$/, '')
    const shown = fallback === undefined || ownDefault !== undefined ? '' : ` (default: ${fallback})`
    super(`${flagOf(setting)} ${flag}`, `${text.charAt(0).toLowerCase()}${text.slice(1)}${shown}`)
    this.setting = setting
    if (ownDefault !== undefined) this.default(ownDefault)
  }
}

/** Adds the flags of these settings to a command. */
export function addSettings(command: Command, settings: readonly SettingName[]): Command {
  for (const setting of settings) command.addOption(new SettingOption(setting))
  return command
}

/** The settings of a process that serves HTTP. */
export const httpSettings = [
  'host',
  'port',
  'publicUrl',
  'tlsCertificate',
  'tlsKey',
  'trustedProxies',
  'breachedPasswords',
] as const

/** Of the processes that have the worker. */
export const takeOverOption = [
  '--take-over',
  'take over the object store from its current owner, which must be stopped for good',
] as const
