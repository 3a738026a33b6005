/** Follows docs/runbooks/recovery.md, command by command. */
import { spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { akashi, akashiUp, type Running } from '../../scripts/akashi-process.ts'
import { ask, dropSpareDatabases, reachableFolder, removeDataDir } from '../support/embedded.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const MINUTES_MS = 300_000

let data = ''
let place = ''
let running: Running
let moment = ''

beforeAll(async () => {
  data = await reachableFolder()
  place = await mkdtemp(join(tmpdir(), 'akashi-new-'))
  const { chmod } = await import('node:fs/promises')
  await chmod(place, 0o711)
  running = await akashiUp(data)
  const { stdout } = await akashi(['url', '--role', 'superuser', '--data', data, '--json'])
  await dropSpareDatabases((JSON.parse(stdout) as { url: string }).url)
  await sql(data, 'create table public.orders (id integer primary key, note text)')
  await sql(data, `select akashi_audit.protect('public.orders')`)
  await sql(data, `insert into public.orders select i, 'order ' || i from generate_series(1, 50) i`)
  expect((await akashi(['backup', 'full', '--data', data])).status).toBe(0)
  await sql(data, `update public.orders set note = 'paid' where id <= 5`)
  await sleep(50)
  const [now] = await sql<{ at: string }>(
    data,
    `select to_char(clock_timestamp() at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at`,
  )
  moment = now?.at ?? ''
  await sleep(50)
  await sql(data, 'delete from public.orders where id <= 3')
  await sleep(2_000)
}, MINUTES_MS)

afterAll(async () => {
  await running?.stop()
  for (const name of ['audit', 'cluster']) await removeDataDir(join(place, name))
  await removeDataDir(data)
  await rm(place, { recursive: true, force: true })
})

async function sql<R>(folder: string, text: string): Promise<R[]> {
  const { stdout } = await akashi(['url', '--role', 'superuser', '--data', folder, '--json'])
  return await ask<R>((JSON.parse(stdout) as { url: string }).url, text)
}

/** Runs a section's commands; each must succeed. */
async function follow(section: string, folder = ''): Promise<string> {
  const text = await readFile(join(root, 'docs/runbooks/recovery.md'), 'utf8')
  const body = text.split(/^## /m).find((part) => part.startsWith(`${section}\n`)) ?? ''
  const lines = [...body.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block = '']) =>
    block.trim().split('\n'),
  )
  expect(lines.length, section).toBeGreaterThan(0)
  let output = ''
  for (const line of lines) {
    // The service manager of the machine is this test.
    if (line === 'systemctl stop akashi') await running.stop()
    else if (line === 'systemctl start akashi') running = await akashiUp(folder)
    else {
      const variables = { AKASHI_DATA: data, MOMENT: moment, TABLE: 'public.orders', NEW: folder }
      const { status, stdout, stderr } = spawnSync('sh', ['-c', line], {
        cwd: root,
        encoding: 'utf8',
        env: {
          PATH: process.env['PATH'],
          HOME: process.env['HOME'],
          REASON: 'deleted by mistake',
          ...variables,
        },
      })
      expect(status, `${line}\n${stdout}${stderr}`).toBe(0)
      output += stdout
    }
  }
  return output
}

it('rows and a table of the past come back, the audit log is verified, and the cluster survives its machine', {
  timeout: MINUTES_MS,
}, async () => {
  expect(await follow('Rows of one table')).toContain('applied: 3 rows inserted, 0 updated')
  expect(await sql(data, 'select count(*)::integer as rows from orders')).toEqual([{ rows: 50 }])

  await sql(data, 'drop table public.orders')
  await follow('A table that was dropped')
  expect(
    await sql(
      data,
      `select count(*)::integer as rows, count(*) filter (where note = 'paid')::integer as paid from orders_back`,
    ),
  ).toEqual([{ rows: 50, paid: 5 }])
  expect(
    await sql(
      data,
      `select count(*)::integer as rows from akashi_audit.protected_tables where table_name = 'orders_back'`,
    ),
  ).toEqual([{ rows: 1 }])

  const found = await follow('The audit log, to a point in time', join(place, 'audit'))
  expect(found).toContain('audit_logs:')
  expect(found).not.toContain('DELETE')
  expect(await follow('Every month')).toContain('drill passed')

  await follow('The whole cluster', join(place, 'cluster'))
  expect(await sql(join(place, 'cluster'), 'select count(*)::integer as rows from orders_back')).toEqual([
    { rows: 50 },
  ])
})
