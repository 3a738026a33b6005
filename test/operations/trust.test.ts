import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  auditLogs,
  checkProofByPolicy,
  currentPolicy,
  openEpoch,
  parsePolicy,
  proveRow,
  readHead,
  readLogHeads,
  serveWitness,
  trustWitness,
  verifierKeys,
  type WitnessServer,
  witnessKey,
} from '../../src/audit/index.ts'
import { COSIGNATURE_TYPE, formatVerifierKey, type Keyring, openKeyring } from '../../src/keys/index.ts'
import { type ObjectStore, openObjectStore } from '../../src/object-store/index.ts'
import { ledgerTasks, verifyAndRecord } from '../../src/operations/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { tamperWith } from '../support/tamper.ts'

const database = testDatabase()
const worker = database.open('worker')
const owner = database.open('owner')
const ledger = testLedger(worker)
const log = pino({ level: 'silent' })
const { signal } = new AbortController()

let folder = ''
let store: ObjectStore
let witnessKeys: Keyring
let witness: WitnessServer
/** As printed before anything happened, and kept elsewhere. */
let pinned = ''

const head = () => worker.transaction(tester, (session) => readHead(session, auditLogs.log))
const today = () => currentPolicy(worker, tester, verifierKeys(ledger.keyring))
const sql = (text: string) => database.asSuperuser((session) => session.query(text))

let files = 0
async function verifyWith(policy: string | undefined, objects = store) {
  files += 1
  const path = join(folder, `policy-${files}`)
  if (policy !== undefined) await writeFile(path, policy)
  const report = await verifyAndRecord(worker, tester, {
    keyring: ledger.keyring,
    store: objects,
    policy: policy === undefined ? undefined : path,
  })
  return {
    ok: report.ok,
    notes: (report.notes ?? []).join('\n'),
    problems: report.logs.flatMap(({ problems }) => problems.map(({ detail }) => detail)).join('\n'),
  }
}

function publish() {
  const task = ledgerTasks({ keyring: ledger.keyring, store })['ledger.publish']
  if (task === undefined) throw new Error('there is no such task')
  return task({ worker, actor: tester, signal, log, onProgress: () => undefined })
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'akashi-trust-'))
  store = await openObjectStore(pathToFileURL(join(folder, 'objects')).href)
  witnessKeys = await openKeyring(pathToFileURL(join(folder, 'witness-keys')).href)
  await sql("create table public.shop (id integer primary key); select akashi_audit.protect('public.shop')")
  await sql('insert into public.shop values (1), (2), (3)')
  await sql(
    "select akashi_security.record_event(event_type => 'begun', event_category => 'system', severity => 'low', source_service => 'test')",
  )
  await ledger.seal()
  const heads = await readLogHeads(worker, tester)
  const logs = await Promise.all(heads.map(({ origin }) => verifierKeys(ledger.keyring)(origin)))
  witness = await serveWitness({
    folder: join(folder, 'witness'),
    key: await witnessKey(witnessKeys, 'witness.example/w1', 'ml-dsa-44'),
    logs: logs.flat(),
    port: 0,
  })
  await trustWitness(owner, tester, witness.url, witness.verifierKey)
  await publish()
  pinned = await today()
})

afterAll(async () => {
  await witness.close()
  await witnessKeys.close()
  await rm(folder, { recursive: true, force: true })
})

describe('a verification', () => {
  it('says that trust came from what it verifies, when nothing is pinned', async () => {
    const { ok, notes } = await verifyWith(undefined)
    expect(ok).toBe(true)
    expect(notes).toContain('come from the database and keyring being verified')
  })

  it('is good under the policy that was printed, with a witness of ML-DSA-44', async () => {
    expect(await verifyWith(pinned)).toMatchObject({ ok: true, problems: '' })
    const { notes } = await verifyWith(pinned)
    expect(notes).toContain('come from the policy (2 logs, 1 witnesses)')
    expect(notes).toMatch(/audit_logs: \d+ of \d+ entries are cosigned by the quorum/)
  })

  it.each<[string, (policy: string) => string, string]>([
    [
      'another key of the log',
      (policy) =>
        policy.replace(/^log (\S+\/audit_logs)\+.*$/m, (_, name: string) => {
          return `log ${formatVerifierKey({ name, publicKey: randomBytes(32) })}`
        }),
      'not signed by any known key',
    ],
    [
      'another origin',
      (policy) =>
        policy.replace(/^log (\S+)\/audit_logs\+.*$/m, (_, name: string) => {
          return `log ${formatVerifierKey({ name: `${name}0/audit_logs`, publicKey: randomBytes(32) })}`
        }),
      'which the policy does not pin; it pins',
    ],
    [
      'a log that is not pinned',
      (policy) => policy.replace(/^log \S+\/audit_logs\+.*$/m, ''),
      'which the policy does not pin',
    ],
    [
      'a witness that nothing is submitted to',
      (policy) =>
        policy.replace(
          'quorum',
          `witness w2 ${formatVerifierKey({ name: 'witness.example/w2', publicKey: randomBytes(32) }, COSIGNATURE_TYPE)}\nquorum`,
        ),
      'the policy lists the witness witness.example/w2, but this database does not submit to it',
    ],
    [
      'a quorum that is missed',
      (policy) =>
        policy.replace(
          /quorum .*/,
          `witness w2 ${formatVerifierKey({ name: 'witness.example/w2', publicKey: randomBytes(32) }, COSIGNATURE_TYPE)}
group both all witness.example/w1 w2
quorum both`,
        ),
      'the quorum of the policy is not met: no checkpoint of',
    ],
  ])('finds %s', async (_, change, problem) => {
    const changed = change(pinned)
    expect(changed).not.toBe(pinned)
    const { ok, problems } = await verifyWith(changed)
    expect(ok).toBe(false)
    expect(problems).toContain(problem)
  })

  it('refuses to go on without the policy that it was given', async () => {
    await expect(
      verifyAndRecord(worker, tester, { keyring: ledger.keyring, store, policy: join(folder, 'gone') }),
    ).rejects.toMatchObject({ code: 'invalid_config' })
    await expect(verifyWith('quorum nobody\n')).rejects.toMatchObject({ code: 'invalid_config' })
  })

  it('asks for a new policy after a new epoch, and its witness for the new origin', async () => {
    await openEpoch(worker, tester, ledger.keyring, store, 'after a restore')
    await publish()
    const { problems } = await verifyWith(pinned)
    expect(problems).toContain('which the policy does not pin; it pins')
    expect(problems).toContain('the trusted witness witness.example/w1 has never seen this origin')
    expect((await verifyWith(undefined)).problems).toContain('has never seen this origin')
    await witness.close()
    const heads = await readLogHeads(worker, tester)
    const earlier = parsePolicy(Buffer.from(pinned)).logs
    const logs = await Promise.all(heads.map(({ origin }) => verifierKeys(ledger.keyring)(origin)))
    witness = await serveWitness({
      folder: join(folder, 'witness'),
      key: await witnessKey(witnessKeys, 'witness.example/w1', 'ml-dsa-44'),
      logs: [...earlier, ...logs.flat()],
      port: 0,
    })
    await trustWitness(owner, tester, witness.url, witness.verifierKey)
    await publish()
    pinned = await today()
    expect(await verifyWith(pinned)).toMatchObject({ ok: true, problems: '' })
  })
})

describe('a proof', () => {
  it('is checked offline by the policy, with the quorum over its checkpoint', async () => {
    const { rows } = await database.asSuperuser((session) =>
      session.query<{ id: string }>('select id from akashi_audit.audit_logs order by seq limit 1'),
    )
    const bundle = await proveRow(database.open('security_admin'), tester, auditLogs, rows[0]?.id ?? '')
    expect(checkProofByPolicy(bundle, parsePolicy(Buffer.from(pinned)))).toMatchObject({
      id: rows[0]?.id,
      cosignedBy: ['witness.example/w1'],
    })
    const stricter = `${pinned.replace(/quorum .*/, '')}witness w2 ${formatVerifierKey(
      { name: 'witness.example/w2', publicKey: randomBytes(32) },
      COSIGNATURE_TYPE,
    )}\nquorum w2\n`
    expect(() => checkProofByPolicy(bundle, parsePolicy(Buffer.from(stricter)))).toThrow(
      expect.objectContaining({ message: expect.stringContaining('does not meet the quorum') as unknown }),
    )
    const unpinned = pinned.replaceAll(/^log .*$/gm, '')
    expect(() => checkProofByPolicy(bundle, parsePolicy(Buffer.from(unpinned)))).toThrow(
      expect.objectContaining({ code: 'integrity' }),
    )
  })
})

/**
 * Somebody has the database, the keys and the object store, and rewrites everything: rows, ledger and published
 * checkpoints, signed with the log's own key. The witness and the policy are elsewhere.
 */
describe('whoever holds database, keys and object store', () => {
  /** All of it as if it had never been, with a forged row, sealed and published anew. */
  async function rewrite(more: string): Promise<void> {
    await tamperWith(database, async (session) => {
      await session.query(`
        delete from akashi_audit.ledger_entries; delete from akashi_audit.ledger_tiles; delete from akashi_audit.ledger_heads;
        delete from akashi_audit.ledger_checkpoints; delete from akashi_audit.ledger_cosignatures; delete from akashi_audit.ledger_epochs;
        delete from akashi_audit.verified_heads; delete from akashi_audit.standing_alarms;
        update akashi_audit.audit_logs set user_agent = 'forged' where table_name = 'shop'`)
      await session.query(more)
    })
    store = await openObjectStore(
      pathToFileURL(join(folder, `objects-${randomBytes(4).toString('hex')}`)).href,
    )
    await ledger.seal()
    await publish().catch(() => undefined)
  }

  it('is exposed by a trusted witness, under the same origin', async () => {
    await rewrite('select')
    expect((await head())?.epoch).toBe(1)
    for (const policy of [undefined, pinned]) {
      const { ok, problems } = await verifyWith(policy)
      expect(ok).toBe(false)
      expect(problems).toContain('it cosigned another history')
    }
  })

  it('is exposed under another origin, with or without a policy', async () => {
    await rewrite(
      `update akashi_lifecycle.settings set value = '"akashi.local/ffffffffffff"' where key = 'ledger.origin'`,
    )
    expect((await head())?.origin).toBe('akashi.local/ffffffffffff/audit_logs')
    expect((await verifyWith(undefined)).problems).toContain('has never seen this origin')
    expect((await verifyWith(pinned)).problems).toContain('which the policy does not pin; it pins')
  })

  it('is exposed by the policy when the witnesses are taken off the list', async () => {
    await rewrite('delete from akashi_audit.witnesses')
    // Triggers that were switched off show; that nobody is left to compare with, only the note says.
    const without = await verifyWith(undefined)
    expect(without.problems).not.toContain('witness')
    expect(without.notes).toContain('come from the database and keyring being verified')
    const { ok, problems } = await verifyWith(pinned)
    expect(ok).toBe(false)
    expect(problems).toContain(
      'the policy lists the witness witness.example/w1, but this database does not submit to it',
    )
  })

  it('is exposed by the quorum when the witness cannot be reached either', async () => {
    const away = pinned.replace(/^(witness .*) http\S+$/m, '$1 http://127.0.0.1:9/')
    expect(away).not.toBe(pinned)
    const { ok, problems, notes } = await verifyWith(away)
    expect(ok).toBe(false)
    expect(problems).toContain('which the policy does not pin')
    expect(problems).toContain('the quorum of the policy is not met')
    expect(notes).toContain('could not be queried')
  })
})
