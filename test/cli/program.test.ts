import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import type { Register, Work } from '../../src/cli/invocation.ts'
import { AkashiError } from '../../src/foundation/index.ts'
import { akashi } from './world.ts'

/** A verb `try` that does this work. */
function verb(work: Work): { verbs: Register[] } {
  return {
    verbs: [
      (program, perform) => {
        program
          .command('try')
          .option('--port <n>', 'a setting')
          .option('--limit <n>', 'an option of its own')
          .action(() => perform(work))
      },
    ],
  }
}

const done: Work = async () => undefined

describe('exit status and output', () => {
  test('a verb that ends well is 0 and prints its text, or its document with --json', async () => {
    const both = verb(async (cli) => {
      cli.print({ rows: 12345678901234567890n }, 'twelve\n')
      return undefined
    })
    expect(await akashi(['try'], both)).toEqual({ status: 0, stdout: 'twelve\n', stderr: '' })
    const { stdout } = await akashi(['try', '--json'], both)
    expect(JSON.parse(stdout)).toEqual({ rows: '12345678901234567890' })
    expect((await akashi(['--json', 'try'], both)).stdout).toBe(stdout)
  })

  test('a verb that found a problem says so by its status', async () => {
    expect(
      (
        await akashi(
          ['try'],
          verb(async () => 1),
        )
      ).status,
    ).toBe(1)
  })

  test.each([
    ['integrity', 1],
    ['invalid_input', 2],
    ['unavailable', 3],
  ] as const)('an error %s is %i, one line and a hint', async (code, status) => {
    const failing = verb(async () => {
      throw new AkashiError(code, 'it went wrong', { hint: 'mend it' })
    })
    expect(await akashi(['try'], failing)).toEqual({
      status,
      stdout: '',
      stderr: 'akashi: it went wrong\nhint: mend it\n',
    })
    const { stdout, stderr } = await akashi(['try', '--json'], failing)
    expect(JSON.parse(stdout)).toEqual({ error: { code, message: 'it went wrong', hint: 'mend it' } })
    expect(stderr).toBe('akashi: it went wrong\nhint: mend it\n')
  })

  test('an error nobody foresaw is told without its stack, and with it when debugging', async () => {
    const failing = verb(async () => {
      throw new TypeError('x is not a function', { cause: new Error('postgres://app:hunter2@db') })
    })
    const quiet = await akashi(['try'], failing)
    expect(quiet.status).toBe(1)
    expect(quiet.stderr.split('\n')).toHaveLength(3)
    const loud = await akashi(['try'], { ...failing, world: { environment: { AKASHI_LOG_LEVEL: 'debug' } } })
    expect(loud.stderr).toContain('program.test.ts')
    expect(loud.stderr).toContain('caused by')
    expect(loud.stderr).not.toContain('hunter2')
  })

  test('a secret in an error stays out of both outputs', async () => {
    const failing = verb(async () => {
      throw new AkashiError('unavailable', 'cannot reach postgres://app:hunter2@db/x', {
        hint: 'try password=hunter2',
      })
    })
    const { stdout, stderr } = await akashi(['try', '--json'], failing)
    expect(stdout + stderr).not.toContain('hunter2')
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'unavailable' } })
  })
})

describe('wrong use', () => {
  test.each([
    [['trie'], "unknown command 'trie'", 'did you mean try?'],
    [['try', '--limt', '3'], "unknown option '--limt'", 'did you mean --limit?'],
    [
      ['try', 'too', 'much'],
      "too many arguments for 'try'. Expected 0 arguments but got 2",
      'see akashi --help',
    ],
    [['try', '--limit'], "option '--limit <n>' argument missing", 'see akashi --help'],
  ])('%j is 2', async (argv, message, hint) => {
    const { status, stdout, stderr } = await akashi(argv, verb(done))
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toContain(`akashi: ${message}`)
    expect(stderr).toContain(`hint: ${hint}`)
    expect(stderr.trimEnd().split('\n')).toHaveLength(2)
  })

  test('with --json it is a document too', async () => {
    const { status, stdout } = await akashi(['trie', '--json'], verb(done))
    expect(status).toBe(2)
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'invalid_input', hint: 'did you mean try?' } })
  })

  test('no verb at all shows the help and is 2', async () => {
    const { status, stderr } = await akashi([], verb(done))
    expect(status).toBe(2)
    expect(stderr).toContain('Usage: akashi')
  })
})

test('--version and --help are 0 and go to standard output', async () => {
  expect(await akashi(['--version'])).toEqual({ status: 0, stdout: `${manifest.version}\n`, stderr: '' })
  const help = await akashi(['try', '--help'], verb(done))
  expect(help.status).toBe(0)
  expect(help.stdout).toContain('--limit <n>')
})

test('every verb has a description and answers --help', async () => {
  const { stdout } = await akashi(['--help'])
  const listed = stdout.slice(stdout.indexOf('Commands:')).split('\n').slice(1)
  const verbs = listed.flatMap((line) => /^ {2}(\S+)/.exec(line)?.[1] ?? [])
  expect(verbs).toContain('doctor')
  for (const name of verbs) {
    const help = await akashi([name, '--help'])
    expect(help.status).toBe(0)
    expect(help.stdout.split('\n')[2], `description of ${name}`).toMatch(/\S/)
  }
})

describe('configuration', () => {
  const reading = verb(async (cli) => {
    const { port, data } = await cli.config()
    cli.print({}, `${port} ${data}`)
    return undefined
  })

  test('takes the flags of the verb and of the program before the environment', async () => {
    const world = { environment: { AKASHI_PORT: '1', AKASHI_DATA: '/env' } }
    expect((await akashi(['try'], { ...reading, world })).stdout).toBe('1 /env\n')
    const flags = ['--data', 'flag', 'try', '--port', '2', '--limit', '3']
    expect((await akashi(flags, { ...reading, world })).stdout).toBe('2 /nonexistent/flag\n')
  })

  test('tells every mistake, each on its line', async () => {
    const world = { environment: { AKASHI_PORT: 'x', DATABASE_URL: 'hunter2' } }
    const { status, stderr } = await akashi(['try', '--config', 'none.yaml'], { ...reading, world })
    expect(status).toBe(2)
    expect(stderr.split('\n').slice(0, 4)).toEqual([
      'akashi: 3 settings are wrong:',
      'none.yaml: no such file',
      'AKASHI_PORT must be a whole number from 0 to 65535, not "x"',
      'DATABASE_URL must be a URL that begins with postgresql: or postgres:',
    ])
  })

  test('is not read by a verb that does not ask', async () => {
    const world = { environment: { AKASHI_PORT: 'x' } }
    expect((await akashi(['try'], { ...verb(done), world })).status).toBe(0)
  })
})

describe('being cancelled', () => {
  test('ends waiting work with 1', async () => {
    const controller = new AbortController()
    const waiting = verb(async (cli) => {
      controller.abort('SIGINT')
      await sleep(60_000, undefined, { signal: cli.signal })
      return undefined
    })
    const { status, stdout, stderr } = await akashi(['try', '--json'], {
      ...waiting,
      world: { signal: controller.signal },
    })
    expect(status).toBe(1)
    expect(stderr).toBe('akashi: cancelled by SIGINT\n')
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'cancelled' } })
  })

  test('leaves a verb that ends by itself its own status', async () => {
    const controller = new AbortController()
    const serving = verb(async () => {
      controller.abort('SIGTERM')
      return undefined
    })
    expect((await akashi(['try'], { ...serving, world: { signal: controller.signal } })).status).toBe(0)
  })

  test('does not hide an error of another kind', async () => {
    const controller = new AbortController()
    const failing = verb(async () => {
      controller.abort('SIGINT')
      throw new AkashiError('integrity', 'row 7 was changed')
    })
    const { status, stderr } = await akashi(['try'], { ...failing, world: { signal: controller.signal } })
    expect(status).toBe(1)
    expect(stderr).toContain('row 7 was changed')
  })
})
