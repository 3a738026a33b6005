import { type Command, Option } from 'commander'
import { flagOf, type SettingName, settingOf } from '../foundation/index.ts'

/** A flag that is a setting: what it says, it says in the environment and in the file too. */
export class SettingOption extends Option {
  readonly setting: SettingName

  /** @param ownDefault instead of the setting's, for a command that the environment and the file do not concern */
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

/** Gives a command the flags of these settings. */
export function addSettings(command: Command, settings: readonly SettingName[]): Command {
  for (const setting of settings) command.addOption(new SettingOption(setting))
  return command
}

/** What a process that serves HTTP is told. */
export const httpSettings = ['host', 'port', 'publicUrl', 'trustedProxies', 'breachedPasswords'] as const

/** Of the processes that have the worker. */
export const takeOverOption = [
  '--take-over',
  'own the object store from now on, although another installation does; that one must be stopped for good',
] as const
