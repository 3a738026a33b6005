import { readFile } from 'node:fs/promises'
import { dirname, isAbsolute, resolve } from 'node:path'
import { parseDocument } from 'yaml'
import { z } from 'zod'
import { errno } from '../files.ts'
import { nearest } from '../nearest.ts'
import { type Printed, printedBy } from './secret-command.ts'
import { isSettingName, type SettingName, settingNames, settingOf } from './settings.ts'

/** A raw value with its origin, before validation. */
export interface RawSetting {
  readonly value: unknown
  /** Its origin as shown in errors: `--port`, `AKASHI_PORT`, `port in akashi.yaml`. */
  readonly origin: string
}

/** One source of settings: raw values by setting, and mistakes of the source itself. */
export interface Source {
  readonly given: Partial<Record<SettingName, RawSetting>>
  /** One line each, with the place. */
  readonly mistakes: readonly string[]
}

export type Environment = Readonly<Record<string, string | undefined>>

/** Read if it exists and no other file is named. */
export const DEFAULT_CONFIG_FILE = 'akashi.yaml'

/** Names the configuration file. Any other AKASHI_ variable must be a setting or belong to the tests. */
const CONFIG_FILE_VARIABLE = 'AKASHI_CONFIG'
const OURS = /^AKASHI_(?!TEST_)/

const settingOfVariable = new Map(settingNames.map((name) => [settingOf(name).env, name]))

/** Compares without the prefix, so that `AKASHI_DATABASE_URL` suggests `DATABASE_URL`. */
const withoutPrefix = (variable: string) => variable.replace(OURS, '')

function notASetting(origin: string, meant: string | undefined): string {
  return `${origin} is not a setting${meant === undefined ? '' : `; did you mean ${meant}?`}`
}

/** A setting's command-line name: `databaseUrl` → `--database-url`. */
export function flagOf(name: SettingName): string {
  return `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}

/** Flags by setting; a command's own options are ignored. */
export function readFlags(flags: Readonly<Record<string, unknown>>, directory: string): Source {
  const given: Partial<Record<SettingName, RawSetting>> = {}
  const mistakes: string[] = []
  for (const [name, value] of Object.entries(flags)) {
    if (!isSettingName(name) || value === undefined) continue
    given[name] = { value: resolved(name, value, directory), origin: flagOf(name) }
    if (holdsPassword(value)) {
      mistakes.push(
        `${flagOf(name)} must not hold a password, which other users of the machine could read; set ${settingOf(name).env}`,
      )
    }
  }
  return { given, mistakes }
}

function holdsPassword(value: unknown): boolean {
  const url = typeof value === 'string' ? URL.parse(value) : null
  return url !== null && (url.password !== '' || url.searchParams.has('password'))
}

const secretSettings = settingNames.filter((name) => settingOf(name).secret === true)

type ReadSecret = (value: string, environment: Environment, directory: string) => Promise<Printed>

/** For every secret setting `NAME`: where a variable with this suffix says that the value is, and how it is read. */
const secretSources: Readonly<Record<string, ReadSecret>> = {
  _FILE: (path, _, directory) => readSecretFile(resolve(directory, path)),
  _COMMAND: (command, environment, directory) => printedBy(command, withoutSecrets(environment), directory),
}

const sourceOfVariable = new Map(
  secretSettings.flatMap((name) =>
    Object.entries(secretSources).map(
      ([suffix, read]) => [`${settingOf(name).env}${suffix}`, { name, read }] as const,
    ),
  ),
)

/** A program that prints one secret is not told the others. */
function withoutSecrets(environment: Environment): Environment {
  const hidden = new Set(secretSettings.map((name) => settingOf(name).env))
  return Object.fromEntries(Object.entries(environment).filter(([variable]) => !hidden.has(variable)))
}

/** Another variable that gives the same setting. */
function rivalOf(variable: string, name: SettingName, environment: Environment): string | undefined {
  const { env } = settingOf(name)
  const all = [env, ...Object.keys(secretSources).map((suffix) => `${env}${suffix}`)]
  return all.find((other) => other !== variable && Boolean(environment[other]))
}

/** An empty variable counts as unset. */
export async function readEnvironment(environment: Environment, directory: string): Promise<Source> {
  const given: Partial<Record<SettingName, RawSetting>> = {}
  const mistakes: string[] = []
  for (const [variable, value] of Object.entries(environment)) {
    if (value === undefined || value === '') continue
    const name = settingOfVariable.get(variable)
    const elsewhere = sourceOfVariable.get(variable)
    if (elsewhere !== undefined) {
      // Two places for one value: which one counts would be a guess.
      const rival = rivalOf(variable, elsewhere.name, environment)
      if (rival !== undefined) {
        mistakes.push(`${variable} and ${rival} are both set; unset one of them`)
        continue
      }
      const found = await elsewhere.read(value, environment, directory)
      if (typeof found === 'string') given[elsewhere.name] = { value: found, origin: variable }
      else mistakes.push(`${variable}: ${found.mistake}`)
    } else if (name !== undefined) {
      given[name] = { value: resolved(name, value, directory), origin: variable }
    } else if (OURS.test(variable) && variable !== CONFIG_FILE_VARIABLE) {
      mistakes.push(notASetting(variable, nearest(variable, settingOfVariable.keys(), withoutPrefix)))
    }
  }
  return { given, mistakes }
}

/** The content without the line end that editors and `echo` add. */
async function readSecretFile(path: string): Promise<Printed> {
  try {
    const text = (await readFile(path, 'utf8')).replace(/\r?\n$/, '')
    return text === '' ? { mistake: `${path} is empty` } : text
  } catch (error) {
    const why = errno(error) === 'ENOENT' ? 'no such file' : (errno(error) ?? 'unknown')
    return { mistake: `${path} cannot be read (${why})` }
  }
}

/** The file named by the flag or AKASHI_CONFIG, which must exist; otherwise akashi.yaml if it exists. */
export async function readConfigFile(
  named: string | undefined,
  environment: Environment,
  directory: string,
): Promise<Source> {
  const wanted = named ?? (environment[CONFIG_FILE_VARIABLE] || undefined)
  const shown = wanted ?? DEFAULT_CONFIG_FILE
  const path = resolve(directory, shown)
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    const absent = errno(error) === 'ENOENT'
    if (absent && wanted === undefined) return { given: {}, mistakes: [] }
    const why = absent ? 'no such file' : `the file cannot be read (${errno(error) ?? 'unknown'})`
    return { given: {}, mistakes: [`${shown}: ${why}`] }
  }
  return parseConfigFile(text, shown, dirname(path))
}

function parseConfigFile(text: string, shown: string, directory: string): Source {
  const document = parseDocument(text, { prettyErrors: false, uniqueKeys: true })
  if (document.errors.length > 0) {
    // The parser quotes the text around a mistake, which may be a secret, so only the line number is reported.
    const lines = document.errors.map((error) => text.slice(0, error.pos[0]).split('\n').length)
    return { given: {}, mistakes: [...new Set(lines)].map((line) => `${shown}:${line}: is not valid YAML`) }
  }
  const content = z.record(z.string(), z.unknown()).nullable().safeParse(document.toJS())
  if (!content.success) {
    return { given: {}, mistakes: [`${shown}: must hold settings as \`name: value\` lines`] }
  }
  const given: Partial<Record<SettingName, RawSetting>> = {}
  const mistakes: string[] = []
  for (const [name, value] of Object.entries(content.data ?? {})) {
    if (!isSettingName(name)) mistakes.push(notASetting(`${name} in ${shown}`, nearest(name, settingNames)))
    else if (value !== null) {
      given[name] = { value: resolved(name, value, directory), origin: `${name} in ${shown}` }
    }
  }
  return { given, mistakes }
}

function resolved(name: SettingName, value: unknown, directory: string): unknown {
  const isPath = settingOf(name).path === true
  if (!isPath || typeof value !== 'string' || value === '' || isAbsolute(value)) return value
  return resolve(directory, value)
}
