/** `npm run bench -- NAME [--json] [--rounds N] [--scale S]`: runs one benchmark, or lists them. */
import { parseArgs } from 'node:util'
import { type Benchmark, DEFAULT_ROUNDS, format } from './harness.ts'

const benchmarks: Readonly<Record<string, () => Promise<Benchmark>>> = {
  audit: async () => (await import('./audit/index.ts')).audit,
  'audit-bulk': async () => (await import('./audit-bulk.ts')).auditBulk,
  crosscheck: async () => (await import('./crosscheck.ts')).crosscheck,
  maintenance: async () => (await import('./maintenance.ts')).maintenance,
  seal: async () => (await import('./seal.ts')).seal,
  verify: async () => (await import('./verify.ts')).verify,
  chat: async () => (await import('./chat.ts')).chat,
  rls: async () => (await import('./rls.ts')).rls,
  search: async () => (await import('./search.ts')).search,
  ingest: async () => (await import('./ingest.ts')).ingest,
  login: async () => (await import('./login.ts')).login,
  apikey: async () => (await import('./apikey.ts')).apikey,
  archive: async () => (await import('./archive.ts')).archive,
  query: async () => (await import('./query.ts')).query,
  detect: async () => (await import('./detect.ts')).detect,
  start: async () => (await import('./start.ts')).start,
  backup: async () => (await import('./backup.ts')).backup,
  soak: async () => (await import('./soak.ts')).soak,
  restore: async () => (await import('./restore.ts')).restore,
  client: async () => (await import('./client.ts')).client,
  evidence: async () => (await import('./evidence.ts')).evidence,
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: String(DEFAULT_ROUNDS) },
    scale: { type: 'string', default: '1' },
  },
})

const [name] = positionals
const load = name === undefined ? undefined : benchmarks[name]
const rounds = Number(values.rounds)
const scale = Number(values.scale)
if (load === undefined || !Number.isInteger(rounds) || rounds < 1 || !(scale > 0)) {
  process.stderr.write(
    `usage: npm run bench -- <${Object.keys(benchmarks).join('|')}> [--json] [--rounds N] [--scale S]\n`,
  )
  process.exit(2)
}

const benchmark = await load()
const results = await benchmark.run({
  rounds,
  scale,
  progress: (line) => process.stderr.write(`${line}\n`),
})
if (values.json) {
  process.stdout.write(`${JSON.stringify({ name: benchmark.name, results }, null, 2)}\n`)
} else {
  process.stdout.write(`${benchmark.name}: ${benchmark.description}\n`)
  for (const { measure, value, unit, bar, met } of results) {
    const verdict = met === null ? '' : met ? '  met' : '  NOT MET'
    process.stdout.write(
      `  ${measure}: ${format(value)} ${unit}${bar === null ? '' : `  (bar ${bar})${verdict}`}\n`,
    )
  }
}
