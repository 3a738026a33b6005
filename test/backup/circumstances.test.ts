/** Servers in every state that can be backed up, and what a restore makes of it. */
import { existsSync } from 'node:fs'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  dropSlot,
  identify,
  openBackupStore,
  readCatalog,
  readSlot,
  runBackup,
  verifyBackups,
} from '../../src/backup/index.ts'
import { assertRoom } from '../../src/backup/restore/room.ts'
import { openKeyring } from '../../src/keys/index.ts'
import { openObjectStore } from '../../src/object-store/index.ts'
import { openDatabase, reasonToGiveUp } from '../../src/postgres/index.ts'
import { POSTGRES_15, startLocalServer } from '../support/index.ts'
import { restoreTo, startCluster } from './support/cluster.ts'

const MINUTES_MS = 180_000

describe('a restore', () => {
  it(
    'brings prepared transactions back, disables subscriptions, and starts whatever the source set',
    async () => {
      const cluster = await startCluster({
        settings: { max_prepared_transactions: '5', wal_level: 'logical' },
      })
      try {
        const { sql, backupStore, source } = cluster
        await sql('create table goods (id integer primary key)')
        await sql(`create subscription far connection 'dbname=nowhere' publication p with (connect = false)`)
        await sql('update pg_catalog.pg_subscription set subenabled = true')
        await sql("begin; insert into goods values (1); prepare transaction 'held one'")
        for (const setting of [
          `shared_buffers = '500GB'`,
          `shared_preload_libraries = 'gone_library'`,
          `synchronous_standby_names = 'nobody'`,
        ])
          await sql(`alter system set ${setting}`)
        const { database } = await runBackup(backupStore, source, 'full')
        expect(database).toBe('postgres')
        const restored = await restoreTo(backupStore, 'latest', { leaveOut: true })
        try {
          expect(restored.prepared).toEqual(['held one'])
          expect(restored.subscriptions).toEqual(['far'])
          expect(restored.leftOut.sort()).toEqual([
            'shared_buffers',
            'shared_preload_libraries',
            'synchronous_standby_names',
          ])
          expect(await restored.sql('select subenabled from pg_subscription')).toEqual([
            { subenabled: false },
          ])
          await restored.sql(`commit prepared 'held one'`)
          expect(await restored.sql('select id from goods')).toEqual([{ id: 1 }])
        } finally {
          await restored.stop()
        }
        await sql(`rollback prepared 'held one'`)
      } finally {
        await cluster.stop()
      }
    },
    MINUTES_MS,
  )

  it.skipIf(!existsSync(POSTGRES_15))(
    'of PostgreSQL 15 uses its own server',
    async () => {
      const server = await startLocalServer(POSTGRES_15)
      const side = await mkdtemp(join(tmpdir(), 'akashi-backups-'))
      const url = server.url('postgres')
      const database = openDatabase({ url, role: 'owner', poolSize: 1 })
      try {
        const keyring = await openKeyring(`file:${join(side, 'keys')}`)
        const store = await openObjectStore(`file:${join(side, 'objects')}`)
        const backupStore = await openBackupStore({ store, keyring }, (await identify(url)).systemId)
        await database.direct((session) => session.query('create table public.kept as select 42 as n'))
        await runBackup(backupStore, { url, database }, 'full')
        const restored = await restoreTo(backupStore, 'latest')
        try {
          expect(
            await restored.sql(
              `select n, current_setting('server_version_num')::integer / 10000 as major from kept`,
            ),
          ).toEqual([{ n: 42, major: 15 }])
        } finally {
          await restored.stop()
        }
        await keyring.close()
      } finally {
        await database.close()
        await server.stop()
        await rm(side, { recursive: true, force: true })
      }
    },
    MINUTES_MS,
  )

  it('is refused where the disk has no room', async () => {
    await expect(assertRoom(tmpdir(), 1e18)).rejects.toMatchObject({ code: 'conflict' })
    await assertRoom(tmpdir(), 0)
  })
})

describe('a damaged page', () => {
  it(
    'is named, everything else is backed up, and the last whole backup is kept',
    async () => {
      const cluster = await startCluster()
      try {
        const { sql, backupStore, source, folder } = cluster
        await sql('create table goods as select g as id from generate_series(1, 1000) g')
        await sql('create table other as select 1 as id')
        await sql('checkpoint')
        const whole = await runBackup(backupStore, source, 'full')
        expect(whole.damaged).toBeUndefined()
        const [file] = await sql<{ path: string }>(`select pg_relation_filepath('goods') as path`)
        const handle = await open(join(folder, file?.path ?? ''), 'r+')
        await handle.write(Buffer.from('no page looks like this'), 0, 20, 8192 + 64)
        await handle.close()
        const taken = await runBackup(backupStore, source, 'full')
        expect(taken.damaged).toEqual([`${file?.path} block 1`])
        const found = await verifyBackups(backupStore)
        expect(found.problems).toEqual([{ object: taken.id, detail: expect.stringContaining('block 1') }])
        const { planPrune } = await import('../../src/backup/catalog/prune.ts')
        const plan = planPrune(await readCatalog(backupStore), {
          cutoffMs: Date.now() + 1,
          incrementalCutoffMs: 0,
          hold: false,
        })
        expect(plan.backups).toEqual([])
        const restored = await restoreTo(backupStore, 'latest')
        expect(await restored.sql('select id from other')).toEqual([{ id: 1 }])
        await restored.stop()
      } finally {
        await cluster.stop()
      }
    },
    MINUTES_MS,
  )
})

describe('the replication slot', () => {
  it(
    'is made anew after the server gave it up, with a gap; and is dropped only while nothing streams',
    async () => {
      const cluster = await startCluster({
        settings: {
          max_slot_wal_keep_size: '16MB',
          max_wal_size: '32MB',
          min_wal_size: '32MB',
          wal_keep_size: '0',
        },
      })
      try {
        const { sql, source, backupStore } = cluster
        await sql('create table load (v text)')
        const stream = cluster.stream()
        await stream.flushed()
        await expect(dropSlot(source.database)).rejects.toMatchObject({ code: 'conflict' })
        expect(await readSlot(source.database)).toMatchObject({
          active: true,
          serverLimitBytes: 16 * 1024 * 1024,
        })
        await stream.stop()
        for (let round = 0; round < 12; round += 1) {
          await sql('insert into load select repeat(md5(g::text), 30) from generate_series(1, 8000) g')
          await sql('select pg_switch_wal()')
          await sql('checkpoint')
          if ((await readSlot(source.database))?.walStatus === 'lost') break
        }
        expect((await readSlot(source.database))?.walStatus).toBe('lost')
        const again = cluster.stream()
        await again.flushed()
        expect(again.events.filter(({ kind }) => kind === 'gap')).toHaveLength(1)
        expect(await readSlot(source.database)).toMatchObject({ active: true })
        await again.stop()
        expect((await verifyBackups(backupStore)).gaps.every(({ declared }) => declared)).toBe(true)
        expect(await dropSlot(source.database)).toBe(true)
        expect(await dropSlot(source.database)).toBe(false)
        expect(await readSlot(source.database)).toBeNull()
      } finally {
        await cluster.stop()
      }
    },
    MINUTES_MS,
  )

  it(
    'whose name somebody took for a logical one is named, and left alone',
    async () => {
      const cluster = await startCluster({ settings: { wal_level: 'logical' } })
      try {
        const { sql, source } = cluster
        await sql(`select pg_create_logical_replication_slot('akashi_backup', 'pgoutput')`)
        const taken = { code: 'conflict', message: expect.stringContaining('somebody else created') }
        const stream = cluster.stream()
        await expect(stream.ended).rejects.toMatchObject(taken)
        await expect(dropSlot(source.database, { force: true })).rejects.toMatchObject(taken)
        expect(await readSlot(source.database)).toMatchObject({ kind: 'logical' })
        await sql(`select pg_drop_replication_slot('akashi_backup')`)
        const again = cluster.stream()
        await again.flushed()
        await again.stop()
      } finally {
        await cluster.stop()
      }
    },
    MINUTES_MS,
  )

  it('gives its WAL up above the limit, or before the disk is full', () => {
    const limits = { limitBytes: 1000, freeBytes: null }
    expect(reasonToGiveUp({ keptBytes: 1000 }, limits)).toBeUndefined()
    expect(reasonToGiveUp({ keptBytes: 1001 }, limits)).toContain('backup.wal_limit_mb')
    const full = { limitBytes: 1e12, freeBytes: 1_000_000 }
    expect(reasonToGiveUp({ keptBytes: 1e9 }, full)).toContain('free on the disk')
    // Giving up little would not help.
    expect(reasonToGiveUp({ keptBytes: 1e6 }, full)).toBeUndefined()
  })
})
