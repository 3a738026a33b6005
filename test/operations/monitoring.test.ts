/** What is shipped for Prometheus and Grafana fits the metrics that there are, and every alarm is explained. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { conditionNames, definitionOf, openMetrics, systemStatus } from '../../src/operations/index.ts'
import { testDatabase, tester } from '../support/index.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const RULES = join(ROOT, 'deploy/prometheus/akashi.rules.yaml')
const database = testDatabase()
const worker = database.open('worker')

const dashboard = z.object({
  title: z.string(),
  schemaVersion: z.number(),
  panels: z
    .array(
      z.object({
        id: z.number(),
        type: z.enum(['timeseries', 'table']),
        title: z.string().min(1),
        gridPos: z.object({ h: z.number(), w: z.number(), x: z.number(), y: z.number() }),
        targets: z.array(z.object({ refId: z.string(), expr: z.string() })).min(1),
      }),
    )
    .min(1),
})

/** Names of every metric, also of those that have no value now. */
async function metricNames(): Promise<Set<string>> {
  const app = { name: 'akashi', version: '0', tier: 'test', environment: 'test' }
  const registry = openMetrics(app, () => systemStatus(worker, tester))
  const found = new Set((await registry.getMetricsAsJSON()).map(({ name }) => name))
  registry.clear()
  return found
}

const named = (text: string) => [...text.matchAll(/\bakashi_[a-z_]+/g)].map(([name]) => name)

test('the dashboard and the rules name metrics that exist', async () => {
  const known = await metricNames()
  const board = dashboard.parse(JSON.parse(await readFile(join(ROOT, 'deploy/grafana/akashi.json'), 'utf8')))
  expect(new Set(board.panels.map(({ id }) => id)).size).toBe(board.panels.length)
  const asked = board.panels.flatMap(({ targets }) => targets.flatMap(({ expr }) => named(expr)))
  const rules = (await readFile(RULES, 'utf8'))
    .split('\n')
    .filter((line) => line.includes('expr:'))
    .flatMap(named)
  expect(asked.length).toBeGreaterThan(10)
  expect([...asked, ...rules].filter((name) => !known.has(name))).toEqual([])
})

test('promtool takes the rules, where it is installed', async (context) => {
  const outcome = await new Promise<{ code: number | string | null; output: string }>((done) => {
    execFile('promtool', ['check', 'rules', RULES], (error, stdout, stderr) =>
      done({ code: error === null ? 0 : (error.code ?? null), output: stdout + stderr }),
    )
  })
  if (outcome.code === 'ENOENT') context.skip()
  expect(outcome.output).toContain('4 rules found')
  expect(outcome.code).toBe(0)
})

test('the page of operations explains every alarm as the commands do', async () => {
  const page = await readFile(join(ROOT, 'docs/operations.md'), 'utf8')
  for (const name of conditionNames) {
    const { title, action, runbook } = definitionOf(name)
    expect(runbook).toBe(`docs/operations.md#${name}`)
    const section = page.split(`\n### ${name}\n`)[1]?.split('\n### ')[0] ?? ''
    expect(section, name).toContain(title.en)
    expect(section, name).toContain(action.en)
    expect(title.ja, name).toMatch(/[ぁ-ん一-龯]/)
    expect(action.ja, name).toMatch(/[ぁ-ん一-龯]/)
  }
  expect([...page.matchAll(/^### (\w+)$/gm)].map(([, name]) => name)).toEqual(conditionNames)
})
