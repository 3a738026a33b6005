/** `npm run ci`: runs every gate in order and stops at the first failure. */
import { spawnSync } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { delimiter, resolve } from 'node:path'

interface Gate {
  readonly name: string
  readonly command: readonly [string, ...string[]]
  /** Stops a gate that hangs. */
  readonly timeoutMs?: number
}

/** The packages of infra/ are few; on a slow line they take a minute. */
const INSTALL_TIMEOUT_MS = 5 * 60_000
/** Under two minutes on two cores that do nothing else. */
const INFRASTRUCTURE_TIMEOUT_MS = 10 * 60_000

/** Test counts for `.ci/run`; ignored by git. */
const TEST_REPORT = '.test/vitest.json'

/**
 * Tests that are run again on PostgreSQL 15, by the beginning of their path: they run Akashi's SQL on the server of
 * AKASHI_TEST_DATABASE_URL. Of chat, lifecycle and security, those that reach most of their SQL. The others start their
 * own servers (including 15), need none, or only send SQL (HTTP, CLI, pages) that these cover.
 */
const ON_EVERY_SERVER = [
  'audit/',
  'chat/access-matrix',
  'chat/attacks',
  'chat/rules',
  'identity/',
  'lifecycle/archive-trail',
  'lifecycle/lineage',
  'lifecycle/partitions',
  'lifecycle/policy-changes',
  'operations/',
  'postgres/',
  'security/record',
]
/**
 * Tests among those about processes, sockets and files, which do not depend on the version, and long ones whose SQL
 * others of the folder run there.
 */
const ON_ONE_SERVER = [
  'audit/completeness',
  'audit/crosscheck-kill',
  'audit/encoding-stability',
  'audit/tamper-ledger',
  'audit/tamper-matrix',
  'audit/tampering',
  'identity/key-rotation',
  'operations/key-rotation',
  'operations/schedule',
  'postgres/embedded',
  'postgres/isolation',
]

const gates: readonly Gate[] = [
  { name: 'format and lint', command: ['biome', 'ci', '--error-on-warnings', '.'] },
  { name: 'types', command: ['tsc', '-p', '.'] },
  { name: 'types of the pages', command: ['tsc', '-p', 'web'] },
  { name: 'pages', command: ['node', 'web/build.ts'] },
  {
    // Before the gates that resolve what infra/ imports.
    name: 'packages of the infrastructure',
    command: ['npm', 'ci', '--prefix', 'infra', '--no-progress'],
    timeoutMs: INSTALL_TIMEOUT_MS,
  },
  {
    name: 'dependency rules',
    command: [
      'depcruise',
      '--config',
      '.dependency-cruiser.cjs',
      ...present('client', 'contract', 'src', 'scripts', 'bench', 'web', 'infra'),
    ],
  },
  { name: 'unused code and packages', command: ['knip'] },
  { name: 'text rules', command: ['node', 'scripts/check-text.ts'] },
  { name: 'owners of schemas', command: ['node', 'scripts/check-schema-owners.ts'] },
  { name: 'lock file', command: ['node', 'scripts/check-lock.ts'] },
  ...optional('generated documents', 'scripts/generate-docs.ts', '--check'),
  ...optional('requirements', 'scripts/check-requirements.ts'),
  ...optional('schema dump', 'scripts/schema-dump.ts', '--check'),
  ...optional('pictures of the README', 'scripts/readme-images.ts', '--check'),
  {
    name: 'infrastructure',
    command: ['npm', 'test', '--prefix', 'infra'],
    timeoutMs: INFRASTRUCTURE_TIMEOUT_MS,
  },
  {
    name: 'tests',
    command: ['vitest', 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${TEST_REPORT}`],
  },
  // Runs if it is installed, and always in CI, where a missing one fails the gate.
  ...(process.env['CI'] === 'true' || existsSync('/usr/lib/postgresql/15')
    ? optional(
        'tests on PostgreSQL 15',
        'scripts/with-postgres-15.ts',
        'vitest',
        'run',
        ...ON_EVERY_SERVER.map((name) => `test/${name}`),
        ...ON_ONE_SERVER.map((name) => `--exclude=test/${name}*`),
      )
    : []),
]

function present(...folders: string[]): string[] {
  return folders.filter((folder) => existsSync(folder))
}

function optional(name: string, script: string, ...args: string[]): Gate[] {
  return existsSync(script) ? [{ name, command: ['node', script, ...args] }] : []
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`
}

const path = `${resolve('node_modules/.bin')}${delimiter}${process.env['PATH'] ?? ''}`
const started = performance.now()
rmSync(TEST_REPORT, { force: true })

for (const [index, gate] of gates.entries()) {
  const [program, ...args] = gate.command
  console.log(`\n[${index + 1}/${gates.length}] ${gate.name}: ${gate.command.join(' ')}`)
  const gateStarted = performance.now()
  const { status, signal, error } = spawnSync(program, args, {
    stdio: 'inherit',
    env: { ...process.env, PATH: path },
    timeout: gate.timeoutMs,
  })
  if (status !== 0) {
    const how = error?.message ?? (signal === null ? `exit ${status}` : signal)
    console.error(`\n${gate.name}: failed after ${seconds(gateStarted)} (${how})`)
    process.exit(1)
  }
  console.log(`${gate.name}: ok in ${seconds(gateStarted)}`)
}
console.log(`\nall ${gates.length} gates ok in ${seconds(started)}`)
