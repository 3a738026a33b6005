/** The package as somebody gets it: packed, installed into an empty folder elsewhere, and run there. */
import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { akashi, akashiServer, type RunOptions } from '../../scripts/akashi-process.ts'
import { removeCluster } from '../../src/postgres/index.ts'
import { POSTGRES_15, startLocalServer } from '../support/index.ts'
import { walkThrough } from './walkthrough.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const INSTALL_TIMEOUT_MS = 600_000
const MAX_PACKED_BYTES = 5.5 * 1024 * 1024
/** The tarball of the client, whole. */
const MAX_CLIENT_BYTES = 30 * 1024
/** Without the checkout's own node_modules/.bin, which npx and npm put in front. */
const systemPath = (process.env['PATH'] ?? '')
  .split(delimiter)
  .filter((folder) => !folder.includes('node_modules'))
  .join(delimiter)

/** Debian's, with psql; CI installs both. */
const hasPostgres15 = process.env['CI'] === 'true' || existsSync(POSTGRES_15)

let folder = ''
let tarball = ''
let client = ''
let installed: RunOptions & { readonly cwd: string }

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'akashi-package-'))
  // The account of a PostgreSQL that root starts has to reach the programs.
  await chmod(folder, 0o755)
  run('node', 'scripts/build.ts')
  tarball = pack('.')
  client = pack('./client/dist')
  const cwd = join(folder, 'elsewhere')
  await mkdir(cwd)
  await writeFile(join(cwd, 'package.json'), '{"private": true, "type": "module"}')
  runIn(cwd, 'npm', 'install', '--prefer-offline', '--no-audit', '--no-fund', tarball, client)
  installed = { cwd, launcher: join(cwd, 'node_modules/.bin/akashi'), env: { PATH: systemPath } }
}, INSTALL_TIMEOUT_MS)

afterAll(async () => {
  await removeCluster(join(folder, 'elsewhere/.akashi/postgres'))
  await rm(folder, { recursive: true, force: true })
})

/** @returns the path of the tarball */
function pack(from: string): string {
  const { stdout } = run('npm', 'pack', from, '--ignore-scripts', '--json', '--pack-destination', folder)
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }]
  return join(folder, filename)
}

function runIn(cwd: string, program: string, ...args: string[]): SpawnSyncReturns<string> {
  const result = spawnSync(program, args, { cwd, encoding: 'utf8', maxBuffer: 1 << 26 })
  expect(result.status, `${program} ${args.join(' ')}\n${result.stdout}${result.stderr}`).toBe(0)
  return result
}

function run(program: string, ...args: string[]): SpawnSyncReturns<string> {
  return runIn(root, program, ...args)
}

it('holds what runs and nothing else, and is small', async () => {
  const home = join(installed.cwd, 'node_modules/akashi')
  const files = (await readdir(home, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(home.length + 1))
  expect([...new Set(files.map((file) => file.split('/')[0]))].sort()).toEqual([
    'CHANGELOG.md',
    'LICENSE',
    'README.ja.md',
    'README.md',
    'SECURITY.md',
    'bin',
    'deploy',
    'dist',
    'migrations',
    'package.json',
    'rules',
    'web',
  ])
  expect(files.filter((file) => /[.]tsx?$/.test(file) && !file.endsWith('.d.ts'))).toEqual([])
  expect(files).toContain('migrations/catalog.json')
  expect(files).toContain('web/dist/index.html')
  expect((await stat(tarball)).size).toBeLessThan(MAX_PACKED_BYTES)
  for (const file of files.filter((each) => /[.](js|map|json)$/.test(each))) {
    const text = await readFile(join(home, file), 'utf8')
    expect(text.includes(root), `${file} names a path of the machine that packed it`).toBe(false)
  }
})

it('satisfies the linters of packages', () => {
  for (const each of [tarball, client]) {
    run('node_modules/.bin/publint', '--strict', each)
    run('node_modules/.bin/attw', '--profile', 'esm-only', each)
  }
})

it('has a small client, which needs nothing', async () => {
  const home = join(installed.cwd, 'node_modules/@akashi/client')
  const manifest = JSON.parse(await readFile(join(home, 'package.json'), 'utf8')) as object
  expect(manifest).not.toHaveProperty('dependencies')
  expect((await stat(client)).size).toBeLessThan(MAX_CLIENT_BYTES)
  // What stack traces and debuggers need: a place in the sources for each line.
  const traced = `import { SourceMap } from 'node:module'
import { readFileSync } from 'node:fs'
const home = './node_modules/@akashi/client/'
const code = readFileSync(home + 'shared.js', 'utf8').split('\\n')
const map = new SourceMap(JSON.parse(readFileSync(home + 'shared.js.map', 'utf8')))
const at = code.findIndex((line) => line.includes('function withActor'))
const { originalSource, originalLine } = map.findEntry(at, 0)
console.log(JSON.stringify([originalSource, originalLine]))`
  await writeFile(join(installed.cwd, 'traced.js'), traced)
  const [source, line] = JSON.parse(runIn(installed.cwd, 'node', 'traced.js').stdout) as [string, number]
  const lines = (await readFile(join(root, source), 'utf8')).split('\n')
  expect(lines[line]).toContain('function withActor')
})

it('exports the contract and the client, with types', async () => {
  await writeFile(
    join(installed.cwd, 'use.ts'),
    `import { withActor } from '@akashi/client'
import { operations, type ProblemDetails, problemCodes } from 'akashi'
const problem: Partial<ProblemDetails> = {}
const codes: readonly string[] = problemCodes
console.log(Object.keys(operations).length > 50, codes.includes('not_found'), problem.code, typeof withActor)
`,
  )
  const tsc = join(root, 'node_modules/.bin/tsc')
  runIn(installed.cwd, tsc, '--noEmit', '--strict', '--module', 'nodenext', '--types', '', 'use.ts')
  expect(runIn(installed.cwd, 'node', 'use.ts').stdout).toBe('true true undefined function\n')
})

it('loads none of its heavy parts to print its help', async () => {
  const script = `process.argv = ['node', 'akashi', '--help']
await import('./node_modules/akashi/dist/cli/main.js')
process.on('exit', () => console.error(JSON.stringify(process.report.getReport().sharedObjects)))`
  await writeFile(join(installed.cwd, 'help.js'), script)
  const { stdout, stderr } = runIn(installed.cwd, 'node', 'help.js')
  expect(stdout).toContain('Usage: akashi')
  expect(stderr).not.toMatch(/duckdb|sharp|argon2|bcrypt/)
})

it('runs in an empty folder, from start to proof', { timeout: INSTALL_TIMEOUT_MS }, async () => {
  const up = await akashiServer(['up', '--port', '0'], installed)
  try {
    const page = await fetch(up.url)
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
    expect((await fetch(`${up.url}/readyz`)).status).toBe(200)
    expect(await akashi(['query', 'select 1 as one', '--json'], installed)).toMatchObject({ status: 0 })
    expect(await akashi(['backup', 'full'], installed)).toMatchObject({ status: 0 })
    const verified = await akashi(['verify'], installed)
    expect(verified).toMatchObject({ status: 0, stdout: expect.stringContaining('no problems') as unknown })
  } finally {
    // Also where an older Node.js has handed over, the signal arrives.
    expect(await up.stop()).toBe(0)
  }
})

it('is put under an Express application on a PostgreSQL 15, as the page says', {
  timeout: INSTALL_TIMEOUT_MS,
  skip: !hasPostgres15,
}, async () => {
  const server = await startLocalServer(POSTGRES_15)
  try {
    run('psql', server.url('postgres'), '-qc', 'create database shop')
    const { rows, promised } = await walkThrough({
      ...{ root, folder: installed.cwd, path: systemPath, adminUrl: server.url('shop') },
    })
    expect(rows).toHaveLength(1)
    expect(rows[0]).toMatchObject({
      table: 'orders',
      operation: 'INSERT',
      newValues: { item: 'tea' },
      ...promised,
    })
    expect(promised).toMatchObject({ contextVerified: true, userId: 'taro' })
  } finally {
    await server.stop()
  }
})
