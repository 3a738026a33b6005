import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  auditLogs,
  openEpoch,
  readHead,
  recordRetention,
  serveWitness,
  verifierKeys,
  witnessAddress,
  witnessHeads,
  witnessKey,
} from '../../src/audit/index.ts'
import { createApiKey } from '../../src/identity/index.ts'
import { openObjectStore } from '../../src/object-store/index.ts'
import { makeUser } from '../identity/people.ts'
import { testServer } from '../identity/server.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { overSocket } from './client.ts'

const database = testDatabase()
const worker = database.open('worker')
const ledger = testLedger(worker)
const server = testServer(database)
const auditor = { host: 'localhost', authorization: '' }
const other = { host: 'localhost', authorization: '' }
let app: ReturnType<typeof server.app>

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'akashi-ledger-records-'))
  const store = await openObjectStore(pathToFileURL(join(folder, 'objects')).href)
  const user = await makeUser(database, 'security_admin')
  const { key } = await createApiKey(database.open('app'), user, {
    name: 'ledger',
    scopes: ['ledger:read', 'audit_logs:read'],
  })
  auditor.authorization = `Bearer ${key}`
  const without = await createApiKey(database.open('app'), user, { name: 'events', scopes: ['events:read'] })
  other.authorization = `Bearer ${without.key}`
  await database.asSuperuser((session) =>
    session.query(
      "create table shop (id int primary key); select akashi_audit.protect('shop'); insert into shop values (1), (2)",
    ),
  )
  await ledger.seal()
  const head = await worker.transaction(tester, (session) => readHead(session, auditLogs.log))
  const witness = await serveWitness({
    folder: join(folder, 'witness'),
    key: await witnessKey(ledger.keyring, 'witness.example/w1'),
    logs: [...(await verifierKeys(ledger.keyring)(head?.origin ?? ''))],
    port: 0,
  })
  await witnessHeads(worker, tester, [
    witnessAddress({ name: 'witness.example/w1', url: witness.url, key: witness.verifierKey }),
  ])
  await openEpoch(worker, tester, ledger.keyring, store, 'first')
  await openEpoch(worker, tester, ledger.keyring, store, 'second')
  const now = new Date()
  await database.asSuperuser((session) =>
    session.query(
      "update akashi_lifecycle.policies set hot_retention = '1 microsecond', total_retention = '1 microsecond' where table_name = 'audit_logs'",
    ),
  )
  await recordRetention(worker, tester, ledger.keyring, {
    log: auditLogs,
    partition: 'akashi_audit.audit_logs_now',
    from: new Date(now.getTime() - 86_400_000),
    to: new Date(now.getTime() - 1),
    policy: 'audit_logs: 2555 days',
  })
  app = server.app()
  return async () => {
    await witness.close()
    await rm(folder, { recursive: true, force: true })
  }
})

const ask = (path: string, headers: object = auditor) =>
  overSocket(app, { method: 'GET', url: `/v1/ledger/${path}`, headers: { ...headers } })

describe('what a log keeps beside its entries', () => {
  it('shows epochs a page at a time, oldest first', async () => {
    const first = await ask('audit_logs/epochs?limit=1')
    expect(first.statusCode).toBe(200)
    const { rows, next } = first.json<{ rows: object[]; next: string }>()
    expect(rows).toMatchObject([{ epoch: 2, cause: 'ordered', reason: 'first', givenUp: [] }])
    const second = await ask(`audit_logs/epochs?limit=1&cursor=${next}`)
    expect(second.json()).toMatchObject({ rows: [{ epoch: 3, reason: 'second' }], next: null })
    expect((await ask('login_attempts/epochs')).json()).toEqual({ rows: [], next: null })
  })

  it('shows what a witness cosigned', async () => {
    expect((await ask('audit_logs/cosignatures')).json()).toMatchObject({
      rows: [
        {
          epoch: 1,
          witness: 'witness.example/w1',
          note: expect.stringContaining('witness.example/w1') as unknown,
          cosignedAt: expect.stringMatching(/Z$/) as unknown,
        },
      ],
      next: null,
    })
  })

  it('shows retention records', async () => {
    expect((await ask('audit_logs/retention')).json()).toMatchObject({
      rows: [
        {
          partition: 'akashi_audit.audit_logs_now',
          firstPosition: '0',
          note: expect.stringMatching(/^akashi\/retention\/1\n/) as unknown,
        },
      ],
      next: null,
    })
  })

  it('shows the chain, each entry with the hash of the one before', async () => {
    const seen: { position: string; hash: string; previousHash: string | null }[] = []
    let cursor = ''
    do {
      const page = (await ask(`audit_logs/chain?limit=100${cursor}`)).json<{
        rows: typeof seen
        next: string | null
      }>()
      seen.push(...page.rows)
      cursor = page.next === null ? '' : `&cursor=${page.next}`
    } while (cursor !== '')
    expect(seen.length).toBeGreaterThan(200)
    expect(seen.map(({ position }) => position)).toEqual(seen.map((_, i) => String(i)))
    expect(seen.map(({ previousHash }) => previousHash)).toEqual([
      null,
      ...seen.slice(0, -1).map(({ hash }) => hash),
    ])
  })

  it.each(['epochs', 'cosignatures', 'retention', 'chain'])(
    'refuses what is no log, no page, no permission: %s',
    async (list) => {
      expect((await ask(`nothing/${list}`)).statusCode).toBe(400)
      expect((await ask(`audit_logs/${list}?limit=0`)).statusCode).toBe(400)
      expect((await ask(`audit_logs/${list}?cursor=x`)).statusCode).toBe(400)
      expect((await ask(`audit_logs/${list}?other=1`)).statusCode).toBe(400)
      expect((await ask(`audit_logs/${list}`, other)).statusCode).toBe(403)
      expect((await ask(`audit_logs/${list}`, { host: 'localhost' })).statusCode).toBe(401)
    },
  )
})
