import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  auditLogs,
  checkProof,
  type ProofBundle,
  proveConsistency,
  proveRow,
  readHead,
  searchTrail,
  securityEvents,
  verifierKeys,
} from '../../src/audit/index.ts'
import { verifyConsistency } from '../../src/audit/ledger/merkle.ts'
import type { VerifierKey } from '../../src/keys/index.ts'
import { person } from '../../src/postgres/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'

const database = testDatabase()
const app = database.open('app')
const worker = database.open('worker')
const ledger = testLedger(worker)
const me = '0199d3a0-0000-7000-8000-00000000000a'
let keys: VerifierKey[] = []
let ids: string[] = []

beforeAll(async () => {
  await database.asSuperuser((session) =>
    session.query(`create table shop (id int primary key, name text, price numeric); select akashi_audit.protect('shop', 'confidential', 'id');
      grant insert on shop to akashi_app; insert into shop select i, 'n' || i, i * 1.5 from generate_series(1, 300) i; update shop set name = E'改\\n"行"' where id = 7`),
  )
  await database.asSuperuser((session) =>
    session.query(`insert into akashi_security.security_events (event_type, event_category, severity, source_service, source_ip, event_details)
      values ('ログイン', 'system', 'info', 's', '2001:db8::/32', '{"port": 22, "big": 1.00}')`),
  )
  await app.transaction(person({ userId: me }), (session) =>
    session.query("insert into public.shop values (1000, 'mine', 1)"),
  )
  await ledger.seal()
  const { rows } = await searchTrail(worker, tester, { table: 'shop', limit: 500 })
  ids = rows.map((row) => row.id)
  const head = await worker.transaction(tester, (session) => readHead(session, 'audit_logs'))
  keys = await verifierKeys(ledger.keyring)(head?.origin ?? '')
})

/** As it goes through a file. */
async function bundleOf(id: string, log = auditLogs): Promise<ProofBundle> {
  return JSON.parse(JSON.stringify(await proveRow(worker, tester, log, id))) as ProofBundle
}

describe('a proof', () => {
  it('of any row can be checked with only the key, and says what it proves', async () => {
    const head = await worker.transaction(tester, (session) => readHead(session, 'audit_logs'))
    expect(ids.length).toBe(302)
    for (const id of [
      ...ids.slice(0, 3),
      ...fc.sample(fc.constantFrom(...ids), { numRuns: 25, seed: 1 }),
      ...ids.slice(-1),
    ]) {
      const bundle = await bundleOf(id)
      expect(checkProof(bundle, keys)).toEqual({
        log: 'audit_logs',
        position: bundle.position,
        size: String(head?.size),
        origin: head?.origin,
        id,
        at: bundle.row['created_at'],
      })
    }
  })

  it('of a security event can be checked too', async () => {
    const { rows } = await worker.transaction(tester, (session) =>
      session.query<{ id: string }>(
        "select id from akashi_security.security_events where event_type = 'ログイン'",
      ),
    )
    const head = await worker.transaction(tester, (session) => readHead(session, 'security_events'))
    const bundle = await bundleOf(rows[0]?.id ?? '', securityEvents)
    expect(bundle.row).toMatchObject({
      source_ip: '2001:db8::/32',
      event_details: '{"big": 1.00, "port": 22}',
    })
    const eventKeys = await verifierKeys(ledger.keyring)(head?.origin ?? '')
    expect(checkProof(JSON.stringify(bundle), eventKeys)).toMatchObject({
      log: 'security_events',
      id: rows[0]?.id,
    })
    expect(() => checkProof(bundle, keys)).toThrow(/not signed by any known key/)
  })

  it('is refused when any byte of it changes', async () => {
    const bundle = await bundleOf(ids[1] ?? '')
    const text = JSON.stringify(bundle)
    const bytes = Buffer.from(text)
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const changed = Buffer.from(bytes)
        changed[at] = (changed[at] ?? 0) ^ change
        const read = changed.toString('utf8')
        expect(() => checkProof(read, keys)).toThrow(expect.objectContaining({ code: 'integrity' }) as Error)
      }),
      { numRuns: 3_000 },
    )
  })

  it('is refused when a value is removed, added, or spelled in another way', async () => {
    const bundle = await bundleOf(ids[0] ?? '')
    const { row } = bundle
    const time = String(row['created_at'])
    const others: ProofBundle[] = [
      ...Object.keys(row).map((name) => ({
        ...bundle,
        row: Object.fromEntries(Object.entries(row).filter(([key]) => key !== name)),
      })),
      { ...bundle, row: { ...row, error_code: '' } },
      { ...bundle, row: { ...row, toString: 'x' } },
      { ...bundle, row: { ...row, created_at: time.replace('T', ' ') } },
      { ...bundle, row: { ...row, created_at: time.replace('Z', '+00') } },
      { ...bundle, row: { ...row, salt: `\\x${String(row['salt'])}` } },
      { ...bundle, row: { ...row, salt: String(row['salt']).toUpperCase().replace(/^\d+$/, 'AA') } },
      { ...bundle, row: { ...row, action: [String(row['action'])] } },
      { ...bundle, proof: bundle.proof.slice(1) },
      { ...bundle, proof: [...bundle.proof, bundle.proof[0] ?? ''] },
      { ...bundle, proof: [...bundle.proof].reverse() },
      { ...bundle, position: String(BigInt(bundle.position) - 1n) },
      { ...bundle, position: `0${bundle.position}` },
      { ...bundle, log: 'security_events' },
      { ...bundle, log: 'constructor' },
      { ...bundle, checkpoint: bundle.checkpoint.replace(/\n\n.*/s, '\n\n') },
    ]
    for (const other of others)
      expect(() => checkProof(other, keys), JSON.stringify(other)).toThrow(
        expect.objectContaining({ code: 'integrity' }) as Error,
      )
    expect(() => checkProof({ ...bundle, note: 'x' }, keys)).toThrow(/not a proof bundle of this version/)
    expect(() => checkProof('{', keys)).toThrow(/not JSON/)
  })

  it('is refused for a date that does not exist, which would parse as another', async () => {
    const bundle = await bundleOf(ids[0] ?? '')
    const moved = { ...bundle, row: { ...bundle.row, created_at: '2026-02-30T00:00:00.000000Z' } }
    expect(() => checkProof(moved, keys)).toThrow(/created_at of its row is not in the format/)
  })

  it('is refused with keys of another log or name', async () => {
    const bundle = await bundleOf(ids[0] ?? '')
    expect(() => checkProof(bundle, [])).toThrow(/not signed by any known key/)
    expect(() =>
      checkProof(
        bundle,
        keys.map((key) => ({ ...key, name: 'akashi.local/other/audit_logs' })),
      ),
    ).toThrow(/not signed by any known key/)
  })

  it('requires a sealed and unchanged row', async () => {
    await database.asSuperuser((session) => session.query("insert into shop values (2000, 'new', 1)"))
    const { rows } = await searchTrail(worker, tester, { table: 'shop', recordId: '2000' })
    await expect(proveRow(worker, tester, auditLogs, rows[0]?.id ?? '')).rejects.toMatchObject({
      code: 'conflict',
      hint: expect.stringContaining('sealer') as unknown,
    })
    await expect(
      proveRow(worker, tester, auditLogs, '0199d3a0-0000-7000-8000-00000000dead'),
    ).rejects.toMatchObject({
      code: 'not_found',
    })
    await expect(proveRow(worker, tester, securityEvents, ids[0] ?? '')).rejects.toMatchObject({
      code: 'not_found',
    })
    await expect(proveRow(worker, tester, auditLogs, 'x')).rejects.toMatchObject({ code: 'invalid_input' })
    await database.asSuperuser(async (session) => {
      const { rows: names } = await session.query<{ name: string }>(
        'select tableoid::regclass::text as name from akashi_audit.audit_logs where id = $1',
        [ids[5]],
      )
      const [partition] = names
      await session.query(`alter table ${partition?.name} disable trigger refuse_change`)
      await session.query(`update ${partition?.name} set action = 'forged' where id = $1`, [ids[5]])
      await session.query(`alter table ${partition?.name} enable always trigger refuse_change`)
    })
    await expect(proveRow(worker, tester, auditLogs, ids[5] ?? '')).rejects.toMatchObject({
      code: 'integrity',
    })
  })

  it('is given to an application user for their own rows only', async () => {
    const mine = await searchTrail(app, person({ userId: me }), {})
    const own = await proveRow(app, person({ userId: me }), auditLogs, mine.rows[0]?.id ?? '')
    expect(checkProof(own, keys).id).toBe(mine.rows[0]?.id)
    await expect(proveRow(app, person({ userId: me }), auditLogs, ids[10] ?? '')).rejects.toMatchObject({
      code: 'not_found',
    })
  })
})

describe('a proof of consistency', () => {
  it('links any two sizes of the log, and refuses larger ones', async () => {
    const size = BigInt(checkProof(await bundleOf(ids[0] ?? ''), keys).size)
    const hash = (text: string) => Buffer.from(text, 'base64')
    for (const [first, second] of [
      [0n, size],
      [1n, 256n],
      [255n, 257n],
      [256n, size],
      [100n, 101n],
      [size, size],
    ] as const) {
      const { proof, firstRoot, secondRoot } = await proveConsistency(
        worker,
        tester,
        auditLogs,
        first,
        second,
      )
      expect(verifyConsistency(first, second, hash(firstRoot), hash(secondRoot), proof.map(hash))).toBe(true)
    }
    const whole = await proveConsistency(worker, tester, auditLogs, 0n, size)
    const head = await worker.transaction(tester, (session) => readHead(session, 'audit_logs'))
    expect(whole).toMatchObject({ origin: head?.origin, secondRoot: head?.root.toString('base64') })
    for (const [first, second] of [
      [-1n, 1n],
      [2n, 1n],
      [0n, size + 100n],
    ] as const) {
      await expect(proveConsistency(worker, tester, auditLogs, first, second)).rejects.toMatchObject({
        code: 'invalid_input',
      })
    }
  })
})
