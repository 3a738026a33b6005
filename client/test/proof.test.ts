import { isDeepStrictEqual } from 'node:util'
import { keysIn, type VerifierKey, verifyProof } from '@akashi/client/proof'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import {
  auditLogs,
  proveRow,
  readHead,
  searchTrail,
  securityEvents,
  verifierKeys,
  witnessKey,
} from '../../src/audit/index.ts'
import {
  type CosignerKey,
  cosign,
  formatCosignerKey,
  formatNote,
  formatVerifierKey,
  parseNote,
} from '../../src/keys/index.ts'
import { testDatabase, tester } from '../../test/support/index.ts'
import { testLedger } from '../../test/support/ledger.ts'

const database = testDatabase()
const worker = database.open('worker')
const ledger = testLedger(worker)
let keys: readonly VerifierKey[] = []
let proof = ''

const textOf = async (log: typeof auditLogs, id: string) =>
  JSON.stringify(await proveRow(worker, tester, log, id), null, 2)

beforeAll(async () => {
  await database.asSuperuser((session) =>
    session.query(`create table shop (id int primary key, name text); select akashi_audit.protect('shop', 'confidential', 'id');
      insert into shop select i, 'n' || i from generate_series(1, 300) i; update shop set name = E'改\\n"行"' where id = 7;
      insert into akashi_security.security_events (event_type, event_category, severity, source_service, source_ip, event_details)
      values ('ログイン', 'system', 'info', 's', '2001:db8::/32', '{"port": 22, "big": 1.00}')`),
  )
  await ledger.seal()
  const heads = await worker.transaction(tester, async (session) => [
    await readHead(session, 'audit_logs'),
    await readHead(session, 'security_events'),
  ])
  const known = await Promise.all(heads.map((head) => verifierKeys(ledger.keyring)(head?.origin ?? '')))
  keys = await keysIn(
    known
      .flat()
      .map((key) => `log ${formatVerifierKey(key)}`)
      .join('\n'),
  )
  const { rows } = await searchTrail(worker, tester, { table: 'shop', operation: 'UPDATE' })
  proof = await textOf(auditLogs, rows[0]?.id ?? '')
})

describe('the check of a proof in the browser', () => {
  it('proves rows of each log, step by step', async () => {
    const checked = await verifyProof(proof, keys)
    expect(checked.steps.map(({ state }) => state)).toEqual([
      'passed',
      'passed',
      'passed',
      'passed',
      'passed',
    ])
    expect(checked.proven).toMatchObject({ log: 'audit_logs', size: expect.stringMatching(/^\d+$/) })
    const { rows } = await worker.transaction(tester, (session) =>
      session.query<{ id: string }>(
        "select id from akashi_security.security_events where event_type = 'ログイン'",
      ),
    )
    const other = await verifyProof(await textOf(securityEvents, rows[0]?.id ?? ''), keys)
    expect(other.proven).toMatchObject({ log: 'security_events', id: rows[0]?.id })
  })

  it('fails for each byte that is another, unless it says the same as JSON', async () => {
    const bytes = Buffer.from(proof)
    const same: string[] = []
    for (let at = 0; at < bytes.length; at += 1) {
      const altered = Buffer.from(bytes)
      altered[at] = (altered[at] ?? 0) ^ 1
      const text = altered.toString('utf8')
      if ((await verifyProof(text, keys)).proven !== null) same.push(text)
    }
    const before: unknown = JSON.parse(proof)
    for (const text of same) expect(isDeepStrictEqual(JSON.parse(text), before), text).toBe(true)
  })

  it('says at which step a file fails', async () => {
    const failing = async (change: (bundle: Record<string, unknown>) => object, by = keys) => {
      const { steps } = await verifyProof(JSON.stringify(change(JSON.parse(proof))), by)
      return steps.find(({ state }) => state === 'failed')?.name
    }
    const row = (bundle: Record<string, unknown>) => bundle['row'] as Record<string, unknown>
    expect(await failing((bundle) => ({ ...bundle, more: 1 }))).toBe('bundle')
    expect(await failing((bundle) => ({ ...bundle, row: { ...row(bundle), unknown: 'x' } }))).toBe('bundle')
    expect(await failing((bundle) => ({ ...bundle, checkpoint: `${bundle['checkpoint']}\n` }))).toBe(
      'signature',
    )
    expect(await failing((bundle) => bundle, [])).toBe('signature')
    expect(await failing((bundle) => ({ ...bundle, position: '99999999' }))).toBe('path')
    expect(await failing((bundle) => ({ ...bundle, proof: [] }))).toBe('path')
    expect(await failing((bundle) => ({ ...bundle, row: { ...row(bundle), action: 'x' } }))).toBe('root')
  })
})

describe('cosignatures of the checkpoint', () => {
  const at = new Date('2026-11-21T05:00:00Z')

  /** The proof with cosignatures below the checkpoint, all over a text. */
  const cosigned = async (by: readonly CosignerKey[], change = (text: string) => text) => {
    const bundle = JSON.parse(proof) as { checkpoint: string }
    const { text, signatures } = parseNote(bundle.checkpoint)
    const added = await Promise.all(by.map((key) => cosign(key, change(text), at)))
    return { ...bundle, checkpoint: formatNote({ text, signatures: [...signatures, ...added] }) }
  }

  it('are checked by the keys that are given, and what cannot be checked is said', async () => {
    const classic = await witnessKey(ledger.keyring, 'witness.example/w1', 'ed25519')
    const quantum = await witnessKey(ledger.keyring, 'witness.example/pq', 'ml-dsa-44')
    const given = await cosigned([classic, quantum])
    const policy = [classic, quantum].map((key) => `witness ${formatCosignerKey(key)}`).join('\n')
    const known = [...keys, ...(await keysIn(policy))]
    const states = async (by: readonly VerifierKey[] = known, of: object = given) =>
      (await verifyProof(of, by)).proven?.cosignatures.map(({ state, at: seen }) => [state, seen])
    const valid = ['valid', at.toISOString()]
    expect(await states()).toEqual([valid, valid])
    expect(await states(keys)).toEqual([
      ['unknown key', null],
      ['unknown key', null],
    ])
    // A platform without ML-DSA does not know the form of the key.
    const importKey = crypto.subtle.importKey.bind(crypto.subtle)
    const without = vi
      .spyOn(crypto.subtle, 'importKey')
      .mockImplementation((form, ...more: unknown[]) =>
        form === ('raw-public' as never)
          ? Promise.reject(new TypeError('not a KeyFormat'))
          : Reflect.apply(importKey, crypto.subtle, [form, ...more]),
      )
    try {
      expect(await states()).toEqual([valid, ['not checked', null]])
    } finally {
      without.mockRestore()
    }
    for (const key of [classic, quantum]) {
      const forged = await verifyProof(
        await cosigned([key], (text) => text.replace(/\n\d+\n/, '\n1\n')),
        known,
      )
      expect(forged.proven).toBeNull()
      expect(forged.steps[1]).toMatchObject({ name: 'signature', state: 'failed' })
      expect(forged.steps[1]?.detail).toContain(key.name)
    }
  })
})
