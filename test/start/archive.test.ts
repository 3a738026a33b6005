/** A log of 2016 through the archive as its user meets it: taken in, archived, counted, verified, restored. */
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { akashi, akashiUp, type Running } from '../../scripts/akashi-process.ts'
import type { ArchiveRow } from '../../src/lifecycle/index.ts'
import { openObjectStore } from '../../src/object-store/index.ts'
import { type Database, openDatabase, removeCluster } from '../../src/postgres/index.ts'

const supplied = resolve(import.meta.dirname, '../../../shared/data/openssh/OpenSSH_2k.log')
const log = existsSync(supplied) ? supplied : resolve(import.meta.dirname, '../data/sshd.log')
const TABLE = 'akashi_security.security_events'
const MINUTES_MS = 240_000

let data: string
let running: Running
let superuser: Database

async function document<T>(args: readonly string[], status = 0): Promise<T> {
  const outcome = await akashi([...args, '--json', '--data', data])
  expect(outcome.status, outcome.stderr).toBe(status)
  return JSON.parse(outcome.stdout)
}

async function ask<R>(text: string): Promise<R[]> {
  return (await superuser.direct((session) => session.query<R>(text))).rows
}

const countsSql = `select host(source_ip) as address, count(*)::integer as count from ${TABLE}
  where created_at < '2020-01-01' and source_ip is not null group by 1 order by 1`
const contentSql = `select encode(sha256(convert_to(string_agg(r::text, E'\\n' order by xid, seq), 'UTF8')), 'hex') as hash
  from ${TABLE} r where created_at < '2020-01-01'`

beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), 'akashi-archive-thread-'))
  running = await akashiUp(data)
  const { url } = await document<{ url: string }>(['url', '--role', 'superuser'])
  superuser = openDatabase({ url, role: 'owner', applicationName: 'akashi test' })
})

afterAll(async () => {
  await superuser?.close()
  await running?.stop()
  await removeCluster(data)
  await rm(data, { recursive: true, force: true })
})

it(
  'is archived, counted from Parquet, verified from Parquet, and restored equal',
  async () => {
    await document(['ingest', log, '--format', 'sshd', '--year', '2016', '--timezone', 'Asia/Shanghai'])
    const before = await ask<{ address: string; count: number }>(countsSql)
    const content = await ask(contentSql)
    expect(before.length).toBeGreaterThan(0)

    const plan = await document<{ tables: ArchiveRow[] }>(['archive', 'run', '--dry-run'])
    expect(plan.tables.length).toBeGreaterThan(0)
    expect(plan.tables.every(({ action, dropped }) => action === 'drop' && !dropped)).toBe(true)
    expect(await ask(countsSql)).toEqual(before)

    const { tables } = await document<{ tables: ArchiveRow[] }>(['archive', 'run'])
    expect(tables.map(({ partition }) => partition)).toEqual(plan.tables.map(({ partition }) => partition))
    expect(tables.every(({ exported, dropped }) => exported && dropped)).toBe(true)
    expect(await ask(countsSql)).toEqual([])

    const store = await openObjectStore(`file:${join(data, 'objects')}`)
    const cold = new Map<string, number>()
    for await (const { key } of store.list('archive/akashi_security/security_events/')) {
      if (!key.endsWith('.parquet')) continue
      const chunks: Buffer[] = []
      for await (const chunk of await store.get(key)) chunks.push(Buffer.from(chunk as Uint8Array))
      const bytes = Buffer.concat(chunks)
      const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer
      for (const { source_ip: address } of await parquetReadObjects({ file, compressors })) {
        if (typeof address === 'string') cold.set(address, (cold.get(address) ?? 0) + 1)
      }
    }
    expect(Object.fromEntries(cold)).toEqual(
      Object.fromEntries(before.map(({ address, count }) => [address, count])),
    )

    const report = await document<{ ok: boolean; logs: { log: string; size: string; checked: number }[] }>([
      'verify',
    ])
    const events = report.logs.find((each) => each.log === 'security_events')
    expect([report.ok, String(events?.checked)]).toEqual([true, events?.size])
    expect(await document(['archive', 'verify'])).toMatchObject({ ok: true })

    for (const { partition } of tables) await document(['archive', 'restore', TABLE, partition])
    expect(await ask(contentSql)).toEqual(content)
    expect(await document(['verify'])).toMatchObject({ ok: true })
    const again = await document<{ tables: ArchiveRow[] }>(['archive', 'run'])
    expect(again.tables.every(({ action }) => action === 'held')).toBe(true)

    const status = await ask<{ rows: number }>(
      'select sum(row_count)::integer as rows from akashi_archive.get_archive_status()',
    )
    expect(status[0]?.rows).toBe(tables.reduce((sum, { rows }) => sum + rows, 0))
    const dry = await ask('select * from akashi_archive.process_archived_partitions(true)')
    expect(dry).toHaveLength(tables.length)
  },
  MINUTES_MS,
)

it(
  'is copied to a destination that outlives it, and counted by tenant',
  async () => {
    const refused = await akashi([
      'archive',
      'policy',
      'copy',
      TABLE,
      '--to',
      'nowhere',
      '--total',
      '30 years',
      '--data',
      data,
    ])
    expect([refused.status, refused.stderr]).toEqual([2, expect.stringContaining('this process knows main')])
    const copy = [
      'archive',
      'policy',
      'copy',
      TABLE,
      '--to',
      'main',
      '--total',
      '30 years',
      '--reason',
      'ticket 41',
    ]
    expect((await akashi([...copy, '--data', data])).stdout).toContain(
      'everything of akashi_security.security_events is copied to main',
    )
    const { tables } = await document<{ tables: ArchiveRow[] }>(['archive', 'run'])
    // The partitions were restored before, and stay.
    const copied = tables.filter(({ action }) => action !== 'held')
    expect(copied.length).toBeGreaterThan(0)
    expect(copied.every(({ action }) => action === 'copied')).toBe(true)
    const { copies } = await document<{ copies: { ok: boolean; destination: string }[] }>([
      'archive',
      'copies',
      '--verify',
    ])
    expect(copies.length).toBe(copied.length)
    expect(copies.every(({ ok, destination }) => ok && destination === 'main')).toBe(true)
    const listed = await akashi(['archive', 'tenants', '--data', data])
    expect(listed.stdout).toMatch(/\(none\) +authentication +akashi_security\.security_events/)
  },
  MINUTES_MS,
)
