import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { printedBy } from '../../src/foundation/config/secret-command.ts'
import { AkashiError, type Config, loadConfig, readVersion } from '../../src/foundation/index.ts'

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'akashi-config-'))
})

afterEach(() => rm(directory, { recursive: true, force: true }))

interface Given {
  readonly file?: string
  readonly configFile?: string
  readonly environment?: Record<string, string>
  readonly flags?: Record<string, unknown>
}

async function load({ file, configFile, environment = {}, flags = {} }: Given): Promise<Config> {
  if (file !== undefined) await writeFile(join(directory, 'akashi.yaml'), file)
  return loadConfig({ configFile, environment, flags, directory })
}

async function mistakes(given: Given): Promise<unknown> {
  const error: unknown = await load(given).catch((thrown: unknown) => thrown)
  if (!(error instanceof AkashiError)) throw new Error('no mistake was found')
  expect(error.code).toBe('invalid_config')
  return error.detail['mistakes']
}

describe('a secret in a file', () => {
  test('is read where a variable NAME_FILE names it, without the line end', async () => {
    await writeFile(join(directory, 'url'), 'postgresql://akashi_server:p%20w@db/shop\n')
    await writeFile(join(directory, 'passphrase'), ' kept as it is ')
    const config = await load({
      environment: { DATABASE_URL_FILE: 'url', KEYS_PASSPHRASE_FILE: join(directory, 'passphrase') },
    })
    expect(config.databaseUrl).toBe('postgresql://akashi_server:p%20w@db/shop')
    expect(config.keysPassphrase?.reveal()).toBe(' kept as it is ')
  })

  test('is refused where it is missing, empty, of the wrong kind or given twice, without its content', async () => {
    await writeFile(join(directory, 'empty'), '\n')
    await writeFile(join(directory, 'wrong'), 'hunter2')
    const found = await mistakes({
      environment: {
        DATABASE_URL_FILE: 'absent',
        REDIS_URL_FILE: 'empty',
        OBJECT_STORE_URL_FILE: 'wrong',
        KEYS_URL: 'file:/keys',
        KEYS_URL_FILE: 'wrong',
      },
    })
    expect(found).toEqual([
      `DATABASE_URL_FILE: ${join(directory, 'absent')} cannot be read (no such file)`,
      `REDIS_URL_FILE: ${join(directory, 'empty')} is empty`,
      'KEYS_URL_FILE and KEYS_URL are both set; unset one of them',
      'OBJECT_STORE_URL_FILE must be a URL that begins with file: or s3: or gs: or azblob:',
    ])
    expect(await mistakes({ environment: { AKASHI_PORT_FILE: 'wrong' } })).toEqual([
      expect.stringContaining('AKASHI_PORT_FILE is not a setting'),
    ])
  })
})

describe('a secret that a program prints', () => {
  const program = (script: string) => JSON.stringify([process.execPath, '-e', script])

  test('is taken without the line end, without a shell, and without the other secrets', async () => {
    await writeFile(join(directory, 'echo.mjs'), 'process.stdout.write(process.argv.slice(2).join("|"))')
    const config = await load({
      environment: {
        DATABASE_URL_COMMAND: program('console.log("postgresql://akashi_server:p%20w@localhost/shop")'),
        KEYS_PASSPHRASE_COMMAND: `${process.execPath} echo.mjs  $HOME "a;id" \`id\``,
        AZURE_STORAGE_CONNECTION_STRING_COMMAND: program(
          'process.stdout.write(process.env.REDIS_URL ?? "not told, " + process.env.FOR_ALL)',
        ),
        REDIS_URL: 'redis://localhost',
        FOR_ALL: 'but this',
      },
    })
    expect(config.databaseUrl).toBe('postgresql://akashi_server:p%20w@localhost/shop')
    expect(config.keysPassphrase?.reveal()).toBe('$HOME|"a;id"|`id`')
    expect(config.azureConnectionString?.reveal()).toBe('not told, but this')
  })

  test('gets no input, and every failure is told without what was printed', async () => {
    const found = await mistakes({
      environment: {
        DATABASE_URL_COMMAND: program(
          'process.stdin.resume().on("end", () => { console.log("hunter2"); console.error("hunter3"); process.exitCode = 3 })',
        ),
        DATABASE_DIRECT_URL_COMMAND: program('console.log("hunter2")'),
        OBJECT_STORE_URL_COMMAND: program('console.log()'),
        COLD_STORE_URL_COMMAND: program('console.log("hunter2".repeat(100_000))'),
        KEYS_URL_COMMAND: '/nonexistent/program --give hunter2',
        REDIS_URL_COMMAND: '["vault", 1]',
        OIDC_ISSUERS: '[]',
        OIDC_ISSUERS_COMMAND: 'vault',
      },
    })
    expect(found).toEqual([
      `DATABASE_URL_COMMAND: ${process.execPath} ended with status 3; run it by hand to see why`,
      `OBJECT_STORE_URL_COMMAND: ${process.execPath} printed nothing`,
      `COLD_STORE_URL_COMMAND: ${process.execPath} printed more than 65536 bytes`,
      'KEYS_URL_COMMAND: there is no program /nonexistent/program',
      'REDIS_URL_COMMAND: is neither words nor a JSON array of texts',
      'OIDC_ISSUERS_COMMAND and OIDC_ISSUERS are both set; unset one of them',
      'DATABASE_DIRECT_URL_COMMAND must be a URL that begins with postgresql: or postgres:',
    ])
  })

  test('is given up when the program does not end', async () => {
    const printed = await printedBy(program('setInterval(() => {}, 1000)'), process.env, directory, 300)
    expect(printed).toEqual({ mistake: `${process.execPath} took longer than 0.3 s` })
  })
})

describe('where a setting comes from', () => {
  test('nothing given takes the defaults', async () => {
    const config = await load({})
    expect(config).toMatchObject({
      data: join(directory, '.akashi'),
      host: '127.0.0.1',
      port: 4180,
      appName: 'akashi',
      appVersion: readVersion(),
      appTier: 'system',
      appEnvironment: 'dev',
      logLevel: 'info',
      statementTimeoutMs: 30_000,
    })
    expect(config.databaseUrl).toBeUndefined()
  })

  test('flags go before the environment, the environment before the file', async () => {
    const file = 'port: 1\nhost: file\nlogLevel: warn\n'
    const environment = { AKASHI_PORT: '2', AKASHI_HOST: 'environment' }
    const config = await load({ file, environment, flags: { port: '3' } })
    expect([config.port, config.host, config.logLevel]).toEqual([3, 'environment', 'warn'])
  })

  test('an empty variable, an empty file and a null are as good as none', async () => {
    expect((await load({ environment: { AKASHI_PORT: '' } })).port).toBe(4180)
    expect((await load({ file: '' })).port).toBe(4180)
    expect((await load({ file: 'port:\n' })).port).toBe(4180)
  })

  test("a verb's own options are no settings", async () => {
    expect((await load({ flags: { json: true, dryRun: true, port: undefined } })).port).toBe(4180)
  })

  test('relative paths start from the folder of the file, else from the current one', async () => {
    await mkdir(join(directory, 'etc'))
    await writeFile(join(directory, 'etc/other.yaml'), 'data: here\n')
    expect((await load({ configFile: 'etc/other.yaml' })).data).toBe(join(directory, 'etc/here'))
    expect((await load({ environment: { AKASHI_CONFIG: 'etc/other.yaml' } })).data).toBe(
      join(directory, 'etc/here'),
    )
    expect((await load({ flags: { data: 'here' } })).data).toBe(join(directory, 'here'))
  })
})

describe('mistakes', () => {
  test('all are told at once, each with its place', async () => {
    const found = await mistakes({
      file: 'port: eighty\nprot: 1\nstatementTimeoutMs: 1.5\n',
      environment: { AKASHI_LOG_LEVEL: 'loud', AKASHI_PROT: '1', OTHER_PROT: '1' },
      flags: { port: '70000' },
    })
    expect(found).toEqual([
      'prot in akashi.yaml is not a setting; did you mean port?',
      'AKASHI_PROT is not a setting; did you mean AKASHI_PORT?',
      'port in akashi.yaml must be a whole number from 0 to 65535, not "eighty"',
      'statementTimeoutMs in akashi.yaml must be a whole number of milliseconds from 0 to 86400000, not 1.5',
      'AKASHI_LOG_LEVEL must be one of trace, debug, info, warn, error, fatal, silent, not "loud"',
      '--port must be a whole number from 0 to 65535, not "70000"',
    ])
  })

  test.each([['-1'], ['1e3'], ['0x10'], [' 80'], ['80 '], ['٤']])('%j is no port', async (port) => {
    expect(await mistakes({ environment: { AKASHI_PORT: port } })).toHaveLength(1)
  })

  test.each([['true'], ['[80]'], ['{a: 1}']])('%s in the file is no port', async (port) => {
    expect(await mistakes({ file: `port: ${port}\n` })).toHaveLength(1)
  })

  test('a URL of another scheme is refused without being repeated', async () => {
    const found = await mistakes({
      environment: { DATABASE_URL: 'mysql://app:hunter2@db/app', OBJECT_STORE_URL: '/var/hunter2' },
    })
    expect(found).toEqual([
      'DATABASE_URL must be a URL that begins with postgresql: or postgres:',
      'OBJECT_STORE_URL must be a URL that begins with file: or s3: or gs: or azblob:',
    ])
  })

  test('a file that is named must be there', async () => {
    expect(await mistakes({ configFile: 'missing.yaml' })).toEqual(['missing.yaml: no such file'])
    expect(await mistakes({ configFile: '.' })).toEqual(['.: the file cannot be read (EISDIR)'])
  })

  test.each([
    ['port: 1\nport: 2\n', 'akashi.yaml:2: is not valid YAML'],
    ['keysPassphrase: "hunter2\n', 'akashi.yaml:2: is not valid YAML'],
    ['- port\n', 'akashi.yaml: must hold settings as `name: value` lines'],
    ['hunter2', 'akashi.yaml: must hold settings as `name: value` lines'],
  ])('%j is no configuration', async (file, mistake) => {
    expect(await mistakes({ file })).toEqual([mistake])
  })

  test.each([
    [{ environment: { AKASHI_DATABASE_URL: 'x' } }, 'AKASHI_DATABASE_URL', 'DATABASE_URL'],
    [
      { environment: { AKASHI_STATEMENT_TIMEOUT: '1' } },
      'AKASHI_STATEMENT_TIMEOUT',
      'AKASHI_STATEMENT_TIMEOUT_MS',
    ],
    [{ environment: { AKASHI_KEY_URL: 'x' } }, 'AKASHI_KEY_URL', 'KEYS_URL'],
    [{ file: 'database_url: x' }, 'database_url in akashi.yaml', 'databaseUrl'],
    [{ file: 'logLevle: info' }, 'logLevle in akashi.yaml', 'logLevel'],
  ])('%j is told the nearest name', async (given, origin, meant) => {
    expect(await mistakes(given)).toEqual([`${origin} is not a setting; did you mean ${meant}?`])
  })

  test('a name that is near to none is told none', async () => {
    expect(await mistakes({ environment: { AKASHI_LANG: 'ja' } })).toEqual(['AKASHI_LANG is not a setting'])
  })

  test.each([['Shop'], ['1shop'], ['a b'], ['x'.repeat(64)]])(
    '%j is no name of an application',
    async (name) => {
      expect(await mistakes({ environment: { AKASHI_APP_NAME: name } })).toHaveLength(1)
    },
  )
})

test('the passphrase shows itself to nobody who does not ask', async () => {
  const config = await load({ environment: { KEYS_PASSPHRASE: 'hunter2' } })
  expect(config.keysPassphrase?.reveal()).toBe('hunter2')
  const shown = [
    `${config.keysPassphrase}`,
    JSON.stringify(config),
    inspect(config, { showHidden: true, depth: 9 }),
  ]
  for (const text of shown) expect(text).not.toContain('hunter2')
})
