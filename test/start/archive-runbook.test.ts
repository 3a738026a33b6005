/** Follows docs/runbooks/archive.md, command by command, in the situations that it is for. */
import { spawnSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { akashi, akashiUp, type Running } from '../../scripts/akashi-process.ts'
import { openObjectStore } from '../../src/object-store/index.ts'
import { ask, dropSpareDatabases, reachableFolder, removeDataDir } from '../support/embedded.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const TABLE = 'akashi_security.security_events'
const LOG = 'test/data/sshd.log'
const MINUTES_MS = 300_000

let data = ''
let running: Running
let superuser = ''

beforeAll(async () => {
  data = await reachableFolder()
  running = await akashiUp(data)
  const { stdout } = await akashi(['url', '--role', 'superuser', '--data', data, '--json'])
  superuser = (JSON.parse(stdout) as { url: string }).url
  await dropSpareDatabases(superuser)
  const format = ['--format', 'sshd', '--year', '2016', '--timezone', 'Asia/Shanghai']
  expect((await akashi(['ingest', join(root, LOG), ...format, '--data', data])).status).toBe(0)
}, MINUTES_MS)

afterAll(async () => {
  await running?.stop()
  await removeDataDir(data)
})

async function rowsOf2016(): Promise<number> {
  const [row] = await ask<{ rows: number }>(
    superuser,
    `select count(*)::integer as rows from ${TABLE} where created_at < '2017-01-01'`,
  )
  return row?.rows ?? -1
}

/** Runs the commands of a block of a section; each must succeed. */
async function follow(section: string, block: number): Promise<string> {
  const text = await readFile(join(root, 'docs/runbooks/archive.md'), 'utf8')
  const body = text.split(/^## /m).find((part) => part.startsWith(`${section}\n`)) ?? ''
  const blocks = [...body.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, lines = '']) => lines.trim().split('\n'))
  expect(blocks.length, section).toBeGreaterThan(block)
  let output = ''
  for (const line of blocks[block] ?? []) {
    const { status, stdout, stderr } = spawnSync('sh', ['-c', line], {
      cwd: root,
      encoding: 'utf8',
      env: {
        PATH: process.env['PATH'],
        HOME: process.env['HOME'],
        AKASHI_DATA: data,
        TABLE,
        REASON: 'case closed',
        LOCATION: 's3://bucket/prefix',
      },
    })
    expect(status, `${line}\n${stdout}${stderr}`).toBe(0)
    output += stdout
  }
  return output
}

it('a table that is held shrinks once it is released, and a lost object is replaced', {
  timeout: MINUTES_MS,
}, async () => {
  const rows = await rowsOf2016()
  expect(rows).toBeGreaterThan(0)
  expect(
    (await akashi(['archive', 'hold', TABLE, '--reason', 'a court asked for it', '--data', data])).status,
  ).toBe(0)
  expect((await akashi(['archive', 'run', '--table', TABLE, '--data', data])).status).toBe(0)
  expect(await rowsOf2016()).toBe(rows)
  expect(await follow('A table that does not shrink', 0)).toMatch(/held .*Would keep: .*legal hold/)

  const store = await openObjectStore(`file:${join(data, 'objects')}`)
  const lost: string[] = []
  for await (const { key } of store.list('archive/')) if (key.endsWith('.parquet')) lost.push(key)
  for (const key of lost) await store.delete(key)
  expect((await akashi(['archive', 'verify', '--data', data])).status).toBe(1)
  expect(await follow('An export that fails', 0)).toContain('verified')
  expect(await follow('An export that fails', 1)).toContain('ok')

  await follow('A table that does not shrink', 1)
  expect(await rowsOf2016()).toBe(0)
  const found = await follow('Athena that sees nothing', 0)
  // With the events of today, which are still in PostgreSQL.
  expect(Number(/^ *(\d+) *$/m.exec(found)?.[1])).toBeGreaterThanOrEqual(rows)
  expect(found).toContain('1 archived object')
  expect(found).toContain("LOCATION 's3://bucket/prefix/archive/akashi_security/security_events/'")
})
