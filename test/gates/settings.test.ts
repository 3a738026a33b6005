/** A setting, a flag or a row of settings that no code acts on promises what nobody keeps. */
import { execFile } from 'node:child_process'
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { allCommands, commandsBySetting } from '../../src/cli/program.ts'
import { SettingOption } from '../../src/cli/setting-option.ts'
import { flagOf, type SettingName, settingNames, settingOf } from '../../src/foundation/index.ts'
import { akashi } from '../cli/world.ts'
import { testDatabase } from '../support/index.ts'

const ROOT = resolve(import.meta.dirname, '../..')
/** Where settings are declared and checked; what happens anywhere else acts on them. */
const DECLARATION = /^src\/foundation\/config\/(load|settings|sources)[.]ts/

const database = testDatabase()

/** The text of every TypeScript file below a folder of the repository. */
async function sources(folder: string): Promise<string[]> {
  const names = await readdir(join(ROOT, folder), { recursive: true })
  const files = names.filter((name) => name.endsWith('.ts'))
  return await Promise.all(files.map((name) => readFile(join(ROOT, folder, name), 'utf8')))
}

function compile(directory: string): Promise<string> {
  const tsc = join(ROOT, 'node_modules/.bin/tsc')
  return new Promise((done) => {
    execFile(tsc, ['-p', '.', '--pretty', 'false'], { cwd: directory, maxBuffer: 2 ** 26 }, (_, stdout) =>
      done(stdout),
    )
  })
}

/**
 * Compiles a copy of the sources in which every setting has a type of its own, so that whatever uses the value
 * is an error that names the setting. `neverUsed` is declared in the copy, and nothing can use it.
 */
async function unusedSettings(): Promise<string[]> {
  const directory = await mkdtemp(join(tmpdir(), 'akashi-settings-'))
  try {
    await symlink(join(ROOT, 'node_modules'), join(directory, 'node_modules'))
    for (const name of ['src', 'package.json', 'tsconfig.json']) {
      await cp(join(ROOT, name), join(directory, name), { recursive: true })
    }
    const file = join(directory, 'src/foundation/config/settings.ts')
    const text = await readFile(file, 'utf8')
    const marked = text
      .replace(
        'z.strictObject({',
        "$& neverUsed: setting({ schema: z.string(), env: 'X', accepts: 'x', meaning: 'x' }),",
      )
      .replace(
        /export type Config = .*/,
        `interface Marked<K> { readonly marked: K }
         export type Config = { readonly [K in keyof z.output<typeof configSchema>]: Marked<K> }`,
      )
    await writeFile(file, marked)
    const errors = (await compile(directory)).split(/\n(?=\S)/).filter((error) => !DECLARATION.test(error))
    const used = new Set([...errors.join('\n').matchAll(/Marked<"(\w+)">/g)].map(([, name]) => name))
    return ['neverUsed', ...settingNames].filter((name) => !used.has(name))
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

test('every setting is used, by code other than what declares it', async () => {
  expect(await unusedSettings()).toEqual(['neverUsed'])
})

/** Names that the command line reads of its flags, by the ways in which it does. */
async function flagsRead(): Promise<Set<string>> {
  const text = (await sources('src/cli')).join('\n')
  const all = (pattern: RegExp) => [...text.matchAll(pattern)].map(([, found = '']) => found)
  const camelCase = (name: string) => name.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase())
  return new Set([
    // flags['x'], textOf(cli, 'x'), text('x')
    ...all(/flags\['(\w+)'\]/g),
    ...all(/\w\(cli, '(\w+)'/g),
    ...all(/(?<![.\w])\w+\('(\w+)'/g),
    // const { x, y: z } = cli.flags, and the same as a parameter
    ...all(/\{([^{}]*)\}(?: = (?:cli\.)?flags|: Flags\b)/g).flatMap((names) =>
      names.split(',').map((name) => name.trim().replace(/:.*/, '')),
    ),
    // Tables of flags: ['x <value>', 'field', …], and ['x', 'y'] as const.
    ...all(/\['([\w-]+)[^']*', '\w+'/g).map(camelCase),
    ...all(/\[((?:'\w+',? ?)+)\] as const/g).flatMap((names) => names.match(/\w+/g) ?? []),
  ])
}

describe('flags', () => {
  const registered = [...commandsBySetting()].flatMap(([setting, commands]) =>
    commands.map((command) => [setting, command] as const),
  )

  test('every flag of a setting is on a command, and none that is secret but the URL, which is refused with a password', () => {
    const documented = settingNames.filter((name) => settingOf(name).flag !== undefined)
    expect([...new Set(registered.map(([setting]) => setting))].sort()).toEqual([...documented].sort())
    expect(documented.filter((name) => settingOf(name).secret === true)).toEqual(['databaseUrl'])
  })

  /** What a command demands before it reads its configuration. */
  const demanded: Readonly<Record<string, readonly string[]>> = {
    'app create': ['shop'],
    'audit check': ['proof.json'],
    'evidence check': ['evidence.html'],
    'witness serve': ['--name', 'example.org/w', '--log', 'x'],
    '': ['status'],
  }

  test.each(registered)('%s given to "akashi %s" reaches the configuration', async (setting, command) => {
    const argv = [...command.split(' ').filter(Boolean), ...(demanded[command] ?? [])]
    // Every setting refuses an empty text.
    const { status, stderr } = await akashi([...argv, flagOf(setting), ''])
    expect(stderr).toContain(`${flagOf(setting)} must be ${settingOf(setting).accepts}`)
    expect(status).toBe(2)
  })

  test('no command has a flag of its own by the name of a setting: it would set that', () => {
    const taken = allCommands().flatMap(([command, { options }]) =>
      options
        .filter((option) => !(option instanceof SettingOption))
        .filter((option) => settingNames.includes(option.attributeName() as SettingName))
        .map((option) => `akashi ${command} ${option.long}`),
    )
    expect(taken).toEqual([])
  })

  test('every other flag is read', async () => {
    const read = await flagsRead()
    const unread = allCommands().flatMap(([command, { options }]) =>
      options
        .filter((option) => !(option instanceof SettingOption) && !read.has(option.attributeName()))
        // One without a value that must be given is a confirmation, which commander asks for.
        .filter((option) => !option.mandatory || option.required)
        .map((option) => `akashi ${command} ${option.long}`),
    )
    // The one that commander acts on itself.
    expect(unread).toEqual(['akashi  --version'])
  })
})

describe('rows of akashi_lifecycle.settings', () => {
  const pattern = /(?:lifecycle[.]setting|settings[.]get)\('([a-z_]+[.][a-z_.]+)'\)/g

  /** Keys that the database's own code reads: functions, views, defaults of columns. */
  async function readInside(): Promise<string[]> {
    const { rows } = await database.asSuperuser((session) =>
      session.query<{ text: string }>(
        `select p.prosrc as text from pg_proc p join pg_namespace n on n.oid = p.pronamespace
         where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
         union all select pg_get_viewdef(c.oid) from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where c.relkind in ('v', 'm') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
         union all select pg_get_expr(d.adbin, d.adrelid) from pg_attrdef d`,
      ),
    )
    return rows.flatMap(({ text }) =>
      [...text.replaceAll('::text', '').matchAll(pattern)].map(([, key = '']) => key),
    )
  }

  test('every row is read, and every key that is read is a row', async () => {
    const { rows } = await database.asSuperuser((session) =>
      session.query<{ key: string }>('select key from akashi_lifecycle.settings order by key'),
    )
    const text = (await sources('src')).join('\n')
    const outside = [...text.matchAll(pattern)].map(([, key = '']) => key)
    const read = [...new Set([...(await readInside()), ...outside])].sort()
    expect(read).toEqual(rows.map(({ key }) => key).sort())
  })

  test('docs/configuration.md has each of them with its value', async () => {
    const { rows } = await database.asSuperuser((session) =>
      session.query<{ key: string; value: string; accepts: string; description: string }>(
        `select key, value::text, accepts, description from akashi_lifecycle.settings where key <> 'ledger.origin' order by key`,
      ),
    )
    const page = await readFile(join(ROOT, 'docs/configuration.md'), 'utf8')
    for (const { key, value, accepts, description } of rows) {
      const cells = [`\`${key}\``, `\`${value.replaceAll('"', '')}\``, accepts, description]
      expect(page).toContain(`| ${cells.join(' | ')} |\n`)
    }
  })
})
