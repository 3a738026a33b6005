import { describe, expect, test } from 'vitest'
import {
  AkashiError,
  type LogFormat,
  type Logger,
  type LogLevel,
  openLog,
  redactText,
  Secret,
} from '../../src/foundation/index.ts'

const app = { name: 'shop', version: '2.1', tier: 'business', environment: 'prod' }
const secret = 'hunter2Hunter2'

function logged(format: LogFormat, work: (log: Logger) => void): Promise<string> {
  return loggedFrom('trace', format, work)
}

async function loggedFrom(level: LogLevel, format: LogFormat, work: (log: Logger) => void): Promise<string> {
  const lines: string[] = []
  const destination = { write: (line: string) => void lines.push(line) }
  work(await openLog({ level, format, app, destination }))
  return lines.join('')
}

/** Every way a secret was ever seen to get into a log. */
const leaks: Readonly<Record<string, (log: Logger) => void>> = {
  'a field': (log) => log.info({ password: secret }, 'login'),
  'a nested field': (log) => log.info({ a: { b: { c: [{ dbPassword: secret }] } } }),
  'an object under a secret name': (log) => log.info({ credentials: { user: 'a', value: secret } }),
  'a list under a secret name': (log) => log.info({ tokens: [secret] }),
  'a snake-case name': (log) => log.info({ api_key: secret, access_key_id: secret }),
  'a header': (log) =>
    log.info({ headers: { authorization: secret, 'set-cookie': [secret], 'X-API-Key': secret } }),
  'a child binding': (log) => log.child({ token: secret }).child({ passphrase: secret }).info('x'),
  'a Secret': (log) => log.info({ harmless: new Secret(secret) }),
  'a connection URL': (log) => log.info({ url: `postgresql://app:${secret}@db.example.org:5432/app` }),
  'a connection URL in a message': (log) =>
    log.error(`cannot reach redis://:${secret}@cache:6379/0, giving up`),
  'a URL whose password has a slash': (log) => log.info(`postgres://app:${secret}/x?y#z@db/app`),
  'a URL whose password has an @': (log) => log.info(`postgres://app:a@${secret}@db/app`),
  'a URL in an interpolated argument': (log) => log.info('url %s', `https://user:${secret}@example.org/`),
  'a query string': (log) => log.info({ url: `/v1/events?limit=1&access_token=${secret}&x=1` }),
  'a connection string': (log) => log.info(`host=db user=app password=${secret} dbname=app`),
  'a quoted connection string': (log) => log.info(`host=db password = '${secret} x' dbname=app`),
  'a bearer token in text': (log) => log.info(`sent Authorization: Bearer ${secret}`),
  'an error': (log) => log.error(new Error(`connect postgresql://app:${secret}@db/app failed`)),
  'an error under err': (log) => log.error({ err: new Error(`password=${secret}`) }, 'failed'),
  "an error's own property": (log) => log.error(Object.assign(new Error('failed'), { token: secret })),
  'a cause': (log) => {
    const cause = new Error(`postgres://app:${secret}@db/app`)
    log.error({ err: new Error('outer', { cause: new Error('inner', { cause }) }) })
  },
  'the detail of an AkashiError': (log) =>
    log.error(
      new AkashiError('unavailable', 'no database', { detail: { databaseUrl: `postgres://a:${secret}@b` } }),
    ),
  'a private key': (log) => log.info(`-----BEGIN PRIVATE KEY-----\n${secret}\n-----END PRIVATE KEY-----`),
  'an age identity': (log) => log.info({ recipient: `AGE-SECRET-KEY-1${secret.toUpperCase()}` }),
}

describe.each(['json', 'pretty'] as const)('the %s log', (format) => {
  test.each(Object.entries(leaks))('keeps %s to itself', async (_, leak) => {
    const text = await logged(format, leak)
    expect(text).not.toBe('')
    expect(text.toLowerCase()).not.toContain(secret.toLowerCase())
  })
})

describe('the json log', () => {
  test('writes one document a line and leaves what is no secret', async () => {
    const text = await logged('json', (log) => {
      log.info(
        { userId: 'u1', passwordChanged: true, token: null, url: 'https://example.org:443/a@b' },
        'hello',
      )
      log.warn('again')
    })
    const [first, second, ...rest] = text.trimEnd().split('\n')
    expect(rest).toEqual([])
    expect(JSON.parse(first ?? '')).toMatchObject({
      level: 'info',
      userId: 'u1',
      passwordChanged: true,
      token: null,
      url: 'https://example.org:443/a@b',
      msg: 'hello',
    })
    expect(JSON.parse(second ?? '')).toMatchObject({ level: 'warn', msg: 'again', app })
  })

  test('keeps what the application calls itself out of lines for people', async () => {
    expect(await logged('pretty', (log) => log.info('hello'))).toMatch(/^\[[^\]]+\] INFO[^\n]*: hello\n$/)
  })

  test('says nothing below its level', async () => {
    const text = await loggedFrom('warn', 'json', (log) => log.info('quiet'))
    expect(text).toBe('')
  })
})

test.each([
  ['postgresql://app@db/app', 'postgresql://app@db/app'],
  ['postgresql://app:x@db/app', 'postgresql://app:[redacted]@db/app'],
  ['mail a:b@example.org', 'mail a:b@example.org'],
  ['s3://bucket/prefix', 's3://bucket/prefix'],
  ['the tokens were counted: 3', 'the tokens were counted: 3'],
])('the text %s becomes %s', (text, shown) => {
  expect(redactText(text)).toBe(shown)
})
