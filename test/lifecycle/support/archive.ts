import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { archiveStatus } from '../../../src/lifecycle/index.ts'
import { type ObjectStore, openObjectStore } from '../../../src/object-store/index.ts'
import type { Database } from '../../../src/postgres/index.ts'
import type { TestDatabase } from '../../support/index.ts'
import { tester } from '../../support/tester.ts'

/** Call it at the top of a test file: a store of its own. */
export function testStore(): { readonly store: ObjectStore; readonly folder: string } {
  let folder = ''
  let store: ObjectStore | undefined
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'akashi-store-'))
    store = await openObjectStore(`file:${folder}`)
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))
  return {
    get store() {
      if (store === undefined) throw new Error('the store opens in beforeAll')
      return store
    },
    get folder() {
      return folder
    },
  }
}

/**
 * Failed logins of one day, their partition included; `note` tells them apart. Two in three are of `tenant-a`, the
 * others of `tenant-b`; the users are seven, and every second comes from 10.0.0.1.
 */
export async function insertEvents(
  worker: Database,
  day: string,
  count: number,
  note = 'event',
): Promise<void> {
  await worker.transaction(tester, async (session) => {
    await session.query(
      "select akashi_lifecycle.create_partitions('akashi_security.security_events', $1::timestamptz, $1::timestamptz)",
      [`${day}T00:00:00Z`],
    )
    await session.query(
      `insert into akashi_security.security_events (created_at, event_type, event_category, severity, source_service, description,
         user_id, user_name, tenant_id, source_ip, event_details)
       select $1::timestamptz + i * interval '1 second', 'login_failure', 'authentication', 'low', 'sshd',
              case i % 5 when 0 then '' when 1 then null when 2 then E'quoted " and\\r\\nbroken, 行' else $3 || i end,
              ('00000000-0000-7000-8000-00000000000' || i % 7)::uuid, 'user' || i % 7,
              case i % 3 when 0 then 'tenant-b' else 'tenant-a' end,
              ('10.0.0.' || case i % 2 when 0 then 1 else i % 250 end)::inet, jsonb_build_object('i', i, 'note', $3::text)
       from generate_series(1, $2::integer) i`,
      [`${day}T00:00:00Z`, count, note],
    )
  })
}

/** What is done as a superuser who turns the guards off, to a partition wherever it stands. */
export async function tamper(database: TestDatabase, relation: string, statement: string): Promise<void> {
  await database.asSuperuser(async (session) => {
    await session.query('begin')
    await session.query(`alter table ${relation} disable trigger all`)
    await session.query(statement)
    await session.query(`alter table ${relation} enable always trigger refuse_change`)
    await session.query('commit')
  })
}

/** Keys of every archived object. */
export async function storedObjects(store: ObjectStore): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.list('archive/')) keys.push(key)
  return keys.sort()
}

/** Keys of every manifest that is recorded, and of what it names. */
export async function namedObjects(worker: Database, store: ObjectStore): Promise<string[]> {
  const keys: string[] = []
  for (const { manifest } of await archiveStatus(worker, tester)) {
    keys.push(manifest)
    const chunks: Buffer[] = []
    for await (const chunk of await store.get(manifest)) chunks.push(Buffer.from(chunk as Uint8Array))
    const { parts } = JSON.parse(Buffer.concat(chunks).toString()) as { parts: { key: string }[] }
    keys.push(...parts.map(({ key }) => key))
  }
  return keys.sort()
}
