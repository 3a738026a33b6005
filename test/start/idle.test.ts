/** What an installation asks of its database while nobody uses it. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { akashi, akashiUp, type Running } from '../../scripts/akashi-process.ts'
import { ask, reachableFolder, removeDataDir } from '../support/embedded.ts'

const LONG = process.env['AKASHI_LONG'] === '1'
/**
 * Statements a second, of all processes and jobs. It was 89, and the target is 5: see docs/decisions/0091. A short
 * window may hold all the jobs of a minute.
 */
const LIMIT = LONG ? 10 : 40
const MINUTES_MS = 600_000
const WINDOW_MS = LONG ? 120_000 : 10_000
/** What begins with a start: the first backup, jobs that were missed. */
const SETTLING_MS = LONG ? 60_000 : 10_000

let data = ''
let running: Running
let superuser = ''

beforeAll(async () => {
  data = await reachableFolder()
  running = await akashiUp(data)
  const { stdout } = await akashi(['url', '--role', 'superuser', '--data', data, '--json'])
  superuser = (JSON.parse(stdout) as { url: string }).url
}, MINUTES_MS)

afterAll(async () => {
  await running?.stop()
  await removeDataDir(data)
})

/** Statements in the log of the server, as it writes each of them. */
async function statements(): Promise<string[]> {
  const [row] = await ask<{ folder: string }>(superuser, `select current_setting('log_directory') as folder`)
  const folder = row?.folder ?? ''
  const names = (await readdir(folder)).filter((name) => name.endsWith('.log'))
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')))
  return texts.join('\n').match(/LOG: {2}(?:statement|execute .*?): .*/g) ?? []
}

it(`asks at most ${LIMIT} statements a second`, { timeout: MINUTES_MS }, async () => {
  await sleep(SETTLING_MS)
  await ask(superuser, "alter system set log_statement = 'all'")
  await ask(superuser, 'select pg_catalog.pg_reload_conf()')
  const before = await statements()
  await sleep(WINDOW_MS)
  const asked = (await statements()).slice(before.length).filter((line) => !line.includes('log_directory'))
  expect(asked.length).toBeGreaterThan(0)
  expect(asked.length / (WINDOW_MS / 1000)).toBeLessThanOrEqual(LIMIT)
})
