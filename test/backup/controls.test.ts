/** PostgreSQL's own tools of the oldest supported version, as controls that share no code with ours. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { identify, openBackupStore, runBackup } from '../../src/backup/index.ts'
import { openBackup, writeFiles } from '../../src/backup/restore/write-files.ts'
import { openKeyring } from '../../src/keys/index.ts'
import { openObjectStore } from '../../src/object-store/index.ts'
import { openDatabase } from '../../src/postgres/index.ts'
import { POSTGRES_15, startLocalServer } from '../support/index.ts'

it.runIf(existsSync(POSTGRES_15))(
  'pg_verifybackup finds a backup of PostgreSQL 15 whole, and incrementals are refused with a reason',
  async () => {
    const server = await startLocalServer(POSTGRES_15)
    const side = await mkdtemp(join(tmpdir(), 'akashi-controls-'))
    const url = server.url('postgres')
    const database = openDatabase({ url, role: 'owner', poolSize: 1 })
    const keyring = await openKeyring(`file:${join(side, 'keys')}`)
    try {
      await database.direct((session) =>
        session.query(
          'create table public.t as select i, md5(i::text) as note from generate_series(1, 50000) i',
        ),
      )
      const { systemId } = await identify(url)
      const store = await openObjectStore(`file:${join(side, 'objects')}`)
      const backupStore = await openBackupStore({ store, keyring }, systemId)
      const manifest = await runBackup(backupStore, { url, database }, 'full')
      const folder = join(side, 'written')
      await mkdir(folder)
      await writeFiles(backupStore, [await openBackup(backupStore, manifest)], folder)
      const checked = spawnSync(join(POSTGRES_15, 'pg_verifybackup'), [folder], { encoding: 'utf8' })
      expect(checked.stderr).toBe('')
      expect(checked.stdout).toContain('backup successfully verified')
      await expect(runBackup(backupStore, { url, database }, 'incremental')).rejects.toMatchObject({
        code: 'unsupported',
        hint: expect.stringContaining('backup full'),
      })
    } finally {
      await keyring.close()
      await database.close()
      await server.stop()
      await rm(side, { recursive: true, force: true })
    }
  },
  120_000,
)
