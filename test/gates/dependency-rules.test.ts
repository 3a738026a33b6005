import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'

const root = resolve(import.meta.dirname, '../..')
const config = join(root, '.dependency-cruiser.cjs')
const depcruise = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs')
const MAX_OUTPUT_BYTES = 64 << 20

const Result = z.object({
  summary: z.object({
    violations: z.array(z.object({ from: z.string(), rule: z.object({ name: z.string() }) })),
  }),
})

/** Imports between contexts that the table in .dependency-cruiser.cjs does not allow: who → whom. */
const forbiddenContexts = {
  foundation: 'postgres',
  postgres: 'keys',
  'object-store': 'keys',
  keys: 'object-store',
  audit: 'security',
  security: 'identity',
  identity: 'chat',
  chat: 'lifecycle',
  lifecycle: 'identity',
  detection: 'identity',
  delivery: 'detection',
  backup: 'security',
  report: 'security',
  evidence: 'identity',
  operations: 'http',
  http: 'cli',
  start: 'cli',
  cli: 'http',
}

const homelessPackages = [
  'pg',
  'pg-copy-streams',
  '@aws-sdk/client-s3',
  '@azure/storage-blob',
  '@google-cloud/storage',
  '@aws-sdk/client-kms',
  '@duckdb/node-api',
  'nodemailer',
  '@aws-sdk/client-securityhub',
  '@opentelemetry/sdk-trace',
  '@opentelemetry/exporter-trace-otlp-http',
  'd3-scale',
  'd3-shape',
  'pdfmake',
  'fastify',
  'commander',
]

/** Modules that import in another way than a statement at their top. */
const otherWays: Readonly<Record<string, string>> = {
  'src/audit/using.ts':
    "export async function f() {\n  await using x = await import('../security/index.ts')\n}\n",
  'src/audit/re-export.ts': "export * from '../security/index.ts'\n",
  'src/audit/types.ts': "export type { X } from '../security/index.ts'\n",
  'src/audit/dynamic.ts': "export const f = () => import('../security/index.ts')\n",
}

/** One violating module: the rule it must break, the file and what it imports. */
const violations: readonly (readonly [rule: string, file: string, imported: string])[] = [
  ...Object.entries(forbiddenContexts).map(
    ([from, to]) => [`imports-of-${from}`, `src/${from}/violates.ts`, `../${to}/index.ts`] as const,
  ),
  ...homelessPackages.map(
    (name) => [`home-of-${name}`, `src/audit/home-of-${name.replaceAll(/\W/g, '-')}.ts`, name] as const,
  ),
  ['context-in-table', 'src/audit/strange-context.ts', '../utils/index.ts'],
  ['one-door', 'src/audit/side-door.ts', '../keys/inner.ts'],
  ['one-door-for-tools', 'scripts/side-door.ts', '../src/keys/inner.ts'],
  ['only-the-product', 'src/audit/tests.ts', '../../test/helper.ts'],
  ['web-knows-the-contract-only', 'web/src/server.ts', '../../src/keys/index.ts'],
  ['one-door-of-the-contract', 'web/src/side-door.ts', '../../contract/inner.ts'],
  ['one-door-of-the-client', 'src/audit/client-side-door.ts', '../../client/src/inner.ts'],
  ['client-stands-alone', 'client/src/server.ts', '../../src/keys/index.ts'],
  ['contract-imports-zod-only', 'contract/server.ts', '../src/keys/index.ts'],
  ['contract-imports-zod-only', 'contract/package.ts', 'pg'],
  ['infra-stands-alone', 'infra/lib/names.ts', '../../src/keys/index.ts'],
  ['no-cycles', 'src/audit/circle-a.ts', './circle-b.ts'],
  ['no-orphans', 'src/audit/orphan.ts', ''],
  ['resolvable', 'src/audit/missing.ts', './not-there.ts'],
  ['declared', 'src/audit/undeclared.ts', 'yaml'],
  ['production-packages-only', 'src/audit/development.ts', 'fast-check'],
]

/** What the violating modules import, and a lawful use of everything: none of these may be reported. */
const lawful: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    Object.keys(forbiddenContexts).map((name) => [`src/${name}/index.ts`, 'export const lawful = 1\n']),
  ),
  'src/utils/index.ts': 'export const lawful = 1\n',
  'src/keys/inner.ts': 'export const lawful = 1\n',
  'src/audit/circle-b.ts': "import './circle-a.ts'\n",
  'src/postgres/driver.ts': "import type { Pool } from 'pg'\nexport type P = Pool\n",
  'src/identity/sealed.ts': "import { lawful } from '../keys/index.ts'\nexport const x = lawful\n",
  'src/lifecycle/verified.ts': "import { lawful } from '../audit/index.ts'\nexport const x = lawful\n",
  'src/start/served.ts': "import { lawful } from '../http/index.ts'\nexport const x = lawful\n",
  'src/cli/up.ts': "export const start = () => import('../start/index.ts')\n",
  'src/cli/rows.ts': "import type { lawful } from '../postgres/index.ts'\nexport type L = typeof lawful\n",
  'contract/index.ts': "export { lawful } from './inner.ts'\n",
  'contract/inner.ts': "import { z } from 'zod'\nexport const lawful = z\n",
  'web/src/contract.ts': "import { lawful } from '../../contract/index.ts'\nexport const x = lawful\n",
  'src/foundation/contract.ts': "import { lawful } from '../../contract/index.ts'\nexport const x = lawful\n",
  'client/src/index.ts': "export { lawful } from './inner.ts'\n",
  'client/src/inner.ts': 'export const lawful = 1\n',
  'src/foundation/client.ts': "import { lawful } from '../../client/src/index.ts'\nexport const x = lawful\n",
  'test/helper.ts': 'export const lawful = 1\n',
}

let tree: string
let reported: Set<string>

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(tree, path)), { recursive: true })
  await writeFile(join(tree, path), text)
}

beforeAll(async () => {
  tree = await mkdtemp(join(tmpdir(), 'akashi-dependency-rules-'))
  await symlink(join(root, 'node_modules'), join(tree, 'node_modules'))
  await write(
    'package.json',
    JSON.stringify({
      dependencies: { pg: '*', fastify: '*', commander: '*', 'pg-copy-streams': '*' },
      devDependencies: { 'fast-check': '*' },
    }),
  )
  for (const [path, text] of Object.entries({ ...lawful, ...otherWays })) await write(path, text)
  for (const [, path, imported] of violations) {
    await write(path, imported === '' ? 'export const alone = 1\n' : `import type {} from '${imported}'\n`)
  }
  const run = promisify(execFile)(
    process.execPath,
    [
      depcruise,
      '--config',
      config,
      '--output-type',
      'json',
      'client',
      'contract',
      'src',
      'scripts',
      'web',
      'infra',
      'test',
    ],
    { cwd: tree, maxBuffer: MAX_OUTPUT_BYTES },
  )
  // The exit status is the number of violations, so a failing run is the expected one.
  const stdout = await run.then((done) => done.stdout).catch((error: { stdout: string }) => error.stdout)
  const { summary } = Result.parse(JSON.parse(stdout))
  reported = new Set(summary.violations.map((violation) => `${violation.rule.name} ${violation.from}`))
})

afterAll(() => rm(tree, { recursive: true, force: true }))

describe('dependency rules', () => {
  test.each(violations)('%s refuses %s importing %s', (rule, file) => {
    expect(reported).toContain(`${rule} ${file}`)
  })

  test.each(Object.keys(otherWays))('%s is seen through', (file) => {
    expect(reported).toContain(`imports-of-audit ${file}`)
  })

  test('every rule has a module here that breaks it', () => {
    const { forbidden } = z
      .object({ forbidden: z.array(z.object({ name: z.string() })) })
      .parse(createRequire(import.meta.url)(config))
    expect(new Set(forbidden.map((rule) => rule.name))).toEqual(new Set(violations.map(([rule]) => rule)))
  })

  test('every row of the table is used', async () => {
    const { forbidden } = z
      .object({
        forbidden: z.array(z.object({ name: z.string(), to: z.object({ pathNot: z.unknown().optional() }) })),
      })
      .parse(createRequire(import.meta.url)(config))
    const unused: string[] = []
    for (const { name, to } of forbidden) {
      const context = /^imports-of-(.+)$/.exec(name)?.[1]
      if (context === undefined) continue
      const files = await readdir(join(root, 'src', context), { recursive: true })
      const texts = await Promise.all(
        files
          .filter((file) => file.endsWith('.ts'))
          .map((file) => readFile(join(root, 'src', context, file), 'utf8')),
      )
      const [, allowed = ''] = /\((.+)\)/.exec(String(to.pathNot)) ?? []
      for (const other of allowed.split('|').filter((each) => each !== context)) {
        if (!texts.some((text) => text.includes(`../${other}/index.ts'`)))
          unused.push(`${context} → ${other}`)
      }
    }
    expect(unused).toEqual([])
  })

  test('lawful imports are not reported', () => {
    const files = new Set([...reported].map((entry) => entry.slice(entry.indexOf(' ') + 1)))
    // The way back of the circle is half of the violation.
    const lawfulFiles = Object.keys(lawful).filter((file) => file !== 'src/audit/circle-b.ts')
    expect(lawfulFiles.filter((file) => files.has(file))).toEqual([])
  })
})
