/**
 * Runs in Akashi's container, given to Node.js as text: `serve`, `work` or `install`, with the URLs put together
 * from what ECS hands over. It uses what Node.js and the image bring, nothing else.
 *
 * `install` runs Akashi's own `init`, which applies what is pending, each migration in a transaction of its own, and
 * gives the server's login the password of its secret. Running it again changes nothing.
 */
import { spawn } from 'node:child_process'
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const SERVER_LOGIN = 'akashi_server'
/** As PostgreSQL makes them. */
const SCRAM = { iterations: 4_096, saltBytes: 16, keyBytes: 32 }
const CONNECT_TIMEOUT_MS = 30_000
const SIGNALS = ['SIGINT', 'SIGTERM'] as const

interface Rows {
  readonly rows: readonly { readonly statement: string }[]
}
interface Client {
  connect(): Promise<unknown>
  query(text: string, values?: readonly string[]): Promise<Rows>
  end(): Promise<unknown>
}
type ClientClass = new (options: object) => Client

const entry = needed('TASK_ENTRY')
const folder = mkdtempSync(join(tmpdir(), 'akashi-task-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

// Given as text, the program has no path among its arguments.
const [command = ''] = process.argv.slice(1)
const certificate = join(folder, 'database.pem')
writeFileSync(certificate, process.env['DATABASE_CA'] ?? '', { mode: 0o600 })

if (command === 'install') await install()
else await runHere()

function needed(name: string): string {
  const value = process.env[name]
  if (value === undefined || value === '') throw new Error(`the task has no ${name}`)
  return value
}

function databaseUrl(login: string, password: string): string {
  const url = new URL(`postgresql://${needed('DATABASE_HOST')}`)
  url.port = needed('DATABASE_PORT')
  url.pathname = `/${needed('DATABASE_NAME')}`
  url.username = encodeURIComponent(login)
  url.password = encodeURIComponent(password)
  const mode = needed('DATABASE_TLS')
  url.searchParams.set('sslmode', mode)
  if (mode !== 'disable') url.searchParams.set('sslrootcert', certificate)
  return url.href
}

/** The server in this process, so that signals reach it and nothing stands between it and ECS. */
async function runHere(): Promise<void> {
  process.env['DATABASE_URL'] = databaseUrl(SERVER_LOGIN, needed('SERVER_PASSWORD'))
  const { CACHE_HOST: host, CACHE_PORT: port, CACHE_TOKEN: token } = process.env
  if (host !== undefined && token !== undefined) {
    process.env['REDIS_URL'] = `rediss://:${encodeURIComponent(token)}@${host}:${port}`
  }
  for (const name of ['SERVER_PASSWORD', 'CACHE_TOKEN']) delete process.env[name]
  process.argv = [process.argv[0] ?? 'node', entry, command]
  await import(pathToFileURL(entry).href)
}

async function install(): Promise<void> {
  const password = needed('SERVER_PASSWORD')
  const url = databaseUrl(needed('ADMINISTRATOR_LOGIN'), needed('ADMINISTRATOR_PASSWORD'))
  const status = await akashi(['init', '--secrets', join(folder, 'secrets')], url)
  if (status !== 0) {
    process.exitCode = status
    return
  }
  const { Client } = createRequire(entry)('pg') as { Client: ClientClass }
  const client = new Client({ connectionString: url, connectionTimeoutMillis: CONNECT_TIMEOUT_MS })
  await client.connect()
  try {
    // The verifier instead of the password, which would pass the log of the server.
    const { rows } = await client.query(
      `select format('alter role %I password %L', $1::text, $2::text) as statement`,
      [SERVER_LOGIN, verifier(password)],
    )
    for (const { statement } of rows) await client.query(statement)
  } finally {
    await client.end()
  }
  process.stdout.write(`${SERVER_LOGIN} has the password of its secret\n`)
}

async function akashi(line: readonly string[], url: string): Promise<number> {
  const { SERVER_PASSWORD, ADMINISTRATOR_PASSWORD, ...environment } = process.env
  const child = spawn(process.execPath, [entry, ...line], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...environment, DATABASE_URL: url },
  })
  for (const signal of SIGNALS) process.on(signal, () => child.kill(signal))
  return await new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code) => resolve(code ?? 1))
  })
}

/** What PostgreSQL stores of a password: salt and keys from which it cannot be found (RFC 5802). */
function verifier(password: string): string {
  const { iterations, saltBytes, keyBytes } = SCRAM
  const salt = randomBytes(saltBytes)
  const salted = pbkdf2Sync(password, salt, iterations, keyBytes, 'sha256')
  const key = (name: string) => createHmac('sha256', salted).update(name).digest()
  const stored = createHash('sha256').update(key('Client Key')).digest('base64')
  const server = key('Server Key').toString('base64')
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${stored}:${server}`
}
