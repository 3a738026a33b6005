/** The program beside the server, run as ECS runs it, against a server that says what Akashi's says. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'

const SCRIPT = readFileSync(join(import.meta.dirname, '../lib/task/metrics.ts'), 'utf8')
const ROOT = join(import.meta.dirname, '../..')
const closing: (() => void)[] = []

afterEach(() => {
  for (const close of closing.splice(0)) close()
})

/** Serves a text, and returns what the program first writes, by stream. */
async function firstLine(status: number, text: string): Promise<{ out: string; err: string }> {
  const server = createServer((_, response) => response.writeHead(status).end(text))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return await new Promise((resolve) => {
    const program = execFile(
      process.execPath,
      ['--input-type=module-typescript', '-e', SCRIPT, 'metrics'],
      {
        env: {
          METRICS_URL: `http://127.0.0.1:${port}/metrics`,
          METRICS_ENVIRONMENT: 'akashi-test',
          NODE_NO_WARNINGS: '1',
        },
      },
      (_, out, err) => resolve({ out, err }),
    )
    for (const stream of [program.stdout, program.stderr]) stream?.once('data', () => program.kill())
    closing.push(() => {
      program.kill('SIGKILL')
      server.close()
    })
  })
}

const NOW = Math.floor(Date.now() / 1_000)
const TEXT = [
  '# HELP akashi_ledger_pending_rows committed rows not sealed yet',
  'akashi_ledger_pending_rows{log="trail"} 3',
  'akashi_ledger_pending_rows{log="events \\"x\\" }"} 7',
  `akashi_verification_seconds ${NOW - 90}`,
  'akashi_alarm{name="seal_lag",severity="critical"} 1',
  'akashi_alarm{name="frontier_held",severity="high"} 2',
  'akashi_alarm{name="job_failed",severity="high"} 0',
  'akashi_backup_age_seconds NaN',
  'process_cpu_seconds_total 12.5',
].join('\n')

describe('the metrics of a task', () => {
  test('are one line in the embedded metric format', async () => {
    const { out, err } = await firstLine(200, TEXT)
    expect(err).toBe('')
    const { _aws, ...values } = JSON.parse(out)
    expect(values).toMatchObject({
      Environment: 'akashi-test',
      UnsealedRows: 7,
      SealAlarms: 3,
      JobAlarms: 0,
      CriticalAlarms: 1,
      HighAlarms: 2,
      MediumAlarms: 0,
    })
    expect(values.VerificationAge).toBeGreaterThanOrEqual(90)
    expect(values.VerificationAge).toBeLessThan(90 + 120)
    // What the server does not say is not published as nothing.
    expect(values).not.toHaveProperty('BackupAge')
    const [directive] = _aws.CloudWatchMetrics
    expect(directive).toMatchObject({ Namespace: 'Akashi', Dimensions: [['Environment']] })
    const named = directive.Metrics.map(({ Name }: { Name: string }) => Name)
    expect(['Environment', ...named].toSorted()).toEqual(Object.keys(values).toSorted())
  })

  test('have no age of a verification that never was, and one of workers that never looked', async () => {
    const never = 'akashi_verification_seconds 0\nakashi_alarms_looked_at_seconds 0\n'
    const values = JSON.parse((await firstLine(200, never)).out)
    expect(values).not.toHaveProperty('VerificationAge')
    expect(values.AlarmsLookedAtAge).toBeGreaterThan(NOW - 1)
  })

  test.each([
    ['a server that refuses', 403, 'monitoring:read', /responded 403/],
    ['a server that says nothing of Akashi', 200, 'process_cpu_seconds_total 1\n', /no metric of Akashi/],
  ])('%s: none, and why', async (_, status, text, reason) => {
    const { out, err } = await firstLine(status, text)
    expect(out).toBe('')
    expect(err).toMatch(reason)
  })

  test('are those that the server has, and every alarm is one that it knows', () => {
    const metrics = readFileSync(join(ROOT, 'src/operations/metrics.ts'), 'utf8')
    const conditions = readFileSync(join(ROOT, 'src/operations/alarms/conditions.ts'), 'utf8')
    const used = [...SCRIPT.matchAll(/of: 'akashi_(\w+)'/g)].map(([, name]) => name ?? '')
    expect(used.length).toBeGreaterThan(5)
    for (const name of used) expect(metrics).toContain(`'${name}'`)
    const watched = [...SCRIPT.matchAll(/alarms\(([^)]+)\)/g)].flatMap(([, list]) =>
      [...(list ?? '').matchAll(/'([a-z_]+)'/g)].map(([, name]) => name ?? ''),
    )
    expect(watched.length).toBeGreaterThan(15)
    for (const name of watched) expect(conditions).toMatch(new RegExp(`^ {2}${name}: \\{`, 'm'))
  })

  test('have an alarm each, or a place on the dashboard', () => {
    const sources = ['server-alarms', 'dashboard']
      .map((name) => readFileSync(join(ROOT, `infra/lib/construct/${name}.ts`), 'utf8'))
      .join('')
    const names = [...SCRIPT.matchAll(/(?:alarms|severity)\(\s*'(\w+)'|name: '(\w+)'/g)].map(
      ([, one, other]) => one ?? other ?? '',
    )
    expect(names.length).toBeGreaterThan(15)
    for (const name of names) expect(sources).toContain(`'${name}'`)
  })
})
