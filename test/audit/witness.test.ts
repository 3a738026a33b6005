import { createHash, createPublicKey, verify as verifyBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  auditLogs,
  readHead,
  serveWitness,
  submitToWitness,
  verifierKeys,
  Witness,
  type WitnessServer,
  witnessedNote,
  witnessHeads,
  witnessKey,
} from '../../src/audit/index.ts'
import { checkpointText } from '../../src/audit/ledger/checkpoint.ts'
import { consistencyProof, emptyRoot, leafHash } from '../../src/audit/ledger/merkle.ts'
import { TiledTree } from '../../src/audit/ledger/tiles.ts'
import { formatAddCheckpoint, parseAddCheckpoint } from '../../src/audit/ledger/witness/request.ts'
import { fixedClock } from '../../src/foundation/index.ts'
import {
  COSIGNATURE_TYPE,
  type CosignerKey,
  cosignedAt,
  type Keyring,
  openKeyring,
  parseNote,
  parseVerifierKey,
  signNote,
  type VerifierKey,
  verifyNote,
} from '../../src/keys/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'

const origin = 'log.example/one'
const clock = fixedClock(new Date('2026-11-21T05:00:00.900Z'))

let folder = ''
let logKeys: Keyring
let witnessKeys: Keyring
let logKeyId = ''
let log: VerifierKey
let key: CosignerKey

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'akashi-witness-'))
  logKeys = await openKeyring(`file:${join(folder, 'log-keys')}`)
  witnessKeys = await openKeyring(`file:${join(folder, 'witness-keys')}`)
  logKeyId = (await logKeys.ensure('checkpoint')).id
  log = { name: origin, publicKey: await logKeys.publicKey(logKeyId) }
  key = await witnessKey(witnessKeys, 'witness.example/w1')
})

afterAll(async () => {
  await logKeys.close()
  await witnessKeys.close()
  await rm(folder, { recursive: true, force: true })
})

/** A log of so many entries; another seed is another history. */
async function treeOf(size: number, seed = ''): Promise<TiledTree> {
  const tree = new TiledTree(0n, () => Promise.resolve(undefined))
  await tree.append(Array.from({ length: size }, (_, i) => leafHash(Buffer.from(`${seed}${i}`))))
  return tree
}

async function noteOf(size: number, seed = '', name = origin): Promise<string> {
  const root = await (await treeOf(size, seed)).root()
  return await signNote(logKeys, logKeyId, name, checkpointText({ origin: name, size: BigInt(size), root }))
}

async function requestOf(first: number, second: number, seed = ''): Promise<Buffer> {
  const tree = await treeOf(second, seed)
  const proof = first > second ? [] : await consistencyProof(BigInt(first), BigInt(second), tree.node)
  return Buffer.from(formatAddCheckpoint({ oldSize: BigInt(first), proof, note: await noteOf(second, seed) }))
}

let states = 0
async function fresh(work: (witness: Witness, path: string) => Promise<void>): Promise<void> {
  states += 1
  const path = join(folder, `state-${states}`)
  const witness = await Witness.open({ folder: path, key, logs: [log], clock })
  try {
    await work(witness, path)
  } finally {
    await witness.close()
  }
}

const stateFile = createHash('sha256').update(origin).digest('hex')

describe('a witness', () => {
  it('cosigns a consistent checkpoint with a timestamp, in the cosignature format', () =>
    fresh(async (witness) => {
      for (const [first, second] of [
        [0, 3],
        [3, 3],
        [3, 8],
        [8, 300],
      ] as const) {
        const answer = await witness.addCheckpoint(await requestOf(first, second))
        expect(answer).toMatchObject({
          status: 200,
          body: expect.stringMatching(/^— witness\.example\/w1 [A-Za-z0-9+/=]+\n$/) as unknown,
        })
      }
      const note = (await witness.checkpoint(stateFile)) ?? ''
      expect(verifyNote(note, [log]).text).toContain('\n300\n')
      expect(cosignedAt(note, key)?.toISOString()).toBe('2026-11-21T05:00:00.000Z')
      // The signature by the letter of the specification, without the code under test.
      const { text, signatures } = parseNote(note)
      const bytes = Buffer.from(signatures.find((each) => each.name === key.name)?.signature ?? [])
      expect(bytes).toHaveLength(72)
      const seconds = bytes.readBigUInt64BE()
      const x = Buffer.from(key.publicKey).toString('base64url')
      const publicKey = createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x } })
      expect(
        verifyBytes(
          null,
          Buffer.from(`cosignature/v1\ntime ${seconds}\n${text}`),
          publicKey,
          bytes.subarray(8),
        ),
      ).toBe(true)
    }))

  it('refuses in the order of the protocol', () =>
    fresh(async (witness) => {
      await witness.addCheckpoint(await requestOf(0, 8))
      const hash = leafHash(Buffer.from('x')).toString('base64')
      const status = async (body: Buffer | string) => (await witness.addCheckpoint(Buffer.from(body))).status
      const good = (await requestOf(8, 20)).toString()
      expect(await status('')).toBe(400)
      expect(await status('old 08\n\n')).toBe(400)
      expect(await status(Buffer.from([0xff, 0x0a, 0x0a]))).toBe(400)
      expect(await status(good.replace('\n', '\nnot a hash\n'))).toBe(400)
      expect(
        await status(
          formatAddCheckpoint({ oldSize: 0n, proof: [], note: await noteOf(20, '', 'log.example/two') }),
        ),
      ).toBe(404)
      expect(
        await status(good.replace(/— log\.example\/one .{10}/, (line) => `${line.slice(0, -2)}xx`)),
      ).toBe(403)
      expect(await status(good.replace(/— log\.example\/one .*\n/, '— someone AAAAAAAAAAAA\n'))).toBe(403)
      expect(await status((await requestOf(21, 20)).toString())).toBe(400)
      for (const old of [0, 7, 9]) {
        expect(await witness.addCheckpoint(await requestOf(old, 20))).toEqual({
          status: 409,
          contentType: 'text/x.tlog.size',
          body: '8\n',
        })
      }
      expect(await status((await requestOf(8, 20, 'other')).toString())).toBe(422)
      expect(await witness.addCheckpoint(await requestOf(8, 8, 'other'))).toEqual({
        status: 409,
        contentType: 'text/x.tlog.size',
        body: '8\n',
      })
      // The proof is checked before the roots are compared.
      expect(await status((await requestOf(8, 8, 'other')).toString().replace('\n', `\n${hash}\n`))).toBe(422)
      expect(await status(good.replace(/^old 8\n[^\n]+\n/, 'old 8\n'))).toBe(422)
      expect(await status(good)).toBe(200)
    }))

  it('refuses an empty log with a wrong root, and a proof from size 0', () =>
    fresh(async (witness) => {
      const wrong = await signNote(
        logKeys,
        logKeyId,
        origin,
        checkpointText({ origin, size: 0n, root: leafHash(Buffer.from('x')) }),
      )
      expect(
        (
          await witness.addCheckpoint(
            Buffer.from(formatAddCheckpoint({ oldSize: 0n, proof: [], note: wrong })),
          )
        ).status,
      ).toBe(422)
      expect(
        (
          await witness.addCheckpoint(
            Buffer.from(formatAddCheckpoint({ oldSize: 0n, proof: [emptyRoot], note: await noteOf(3) })),
          )
        ).status,
      ).toBe(422)
      expect(await witness.checkpoint(stateFile)).toBeNull()
    }))

  it('cosigns one of many concurrent requests, and never a smaller tree', () =>
    fresh(async (witness) => {
      await witness.addCheckpoint(await requestOf(0, 5))
      const requests = await Promise.all([9, 30, 12, 30, 6].map((size) => requestOf(5, size)))
      const answers = await Promise.all(requests.map((request) => witness.addCheckpoint(request)))
      expect(answers.map((answer) => answer.status)).toEqual([200, 409, 409, 409, 409])
    }))

  it('keeps its state across a restart, and locks its folder', async () => {
    let path = ''
    await fresh(async (witness, folderOfState) => {
      path = folderOfState
      await witness.addCheckpoint(await requestOf(0, 8))
      await expect(Witness.open({ folder: path, key, logs: [log] })).rejects.toMatchObject({
        code: 'conflict',
      })
      expect(await readFile(join(path, stateFile), 'utf8')).toBe(await witness.checkpoint(stateFile))
    })
    const again = await Witness.open({ folder: path, key, logs: [log], clock })
    expect((await again.addCheckpoint(await requestOf(0, 3))).body).toBe('8\n')
    expect((await again.addCheckpoint(await requestOf(8, 9))).status).toBe(200)
    await again.close()
  })

  it('reads the request of the specification', () => {
    const example = [
      'old 20852014',
      'PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=',
      'jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=',
      '5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=',
      '/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=',
      '',
      'example.com/behind-the-sofa',
      '20852163',
      'CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=',
      '',
      '— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=',
      '',
    ].join('\n')
    const parsed = parseAddCheckpoint(Buffer.from(example))
    expect(parsed.oldSize).toBe(20852014n)
    expect(parsed.proof).toHaveLength(4)
    expect(formatAddCheckpoint(parsed)).toBe(example)
  })
})

describe('a log and its witness over HTTP', () => {
  const database = testDatabase()
  const worker = database.open('worker')
  const ledger = testLedger(worker)
  let server: WitnessServer

  const head = () => worker.transaction(tester, (session) => readHead(session, auditLogs.log))
  const witness = () => ({ url: server.url, key: parseVerifierKey(server.verifierKey, COSIGNATURE_TYPE) })
  const write = (n: number) =>
    database.asSuperuser((session) =>
      session.query(
        `insert into shop select (select coalesce(max(id), 0) from shop) + i from generate_series(1, ${n}) i`,
      ),
    )

  beforeAll(async () => {
    await database.asSuperuser((session) =>
      session.query("create table shop (id int primary key); select akashi_audit.protect('shop')"),
    )
    await ledger.seal()
    const logs = await verifierKeys(ledger.keyring)((await head())?.origin ?? '')
    server = await serveWitness({ folder: join(folder, 'served'), key, logs, port: 0 })
  })
  afterAll(() => server.close())

  it('gets each head cosigned, from any size that the witness has', async () => {
    for (const n of [1, 40, 300]) {
      await write(n)
      await ledger.seal()
      const [outcome, ...rest] = await witnessHeads(worker, tester, [witness()])
      expect(rest).toEqual([])
      const { note, size = 0n } = (await head()) ?? {}
      expect(size).toBeGreaterThanOrEqual(BigInt(n))
      expect(outcome).toMatchObject({ witness: key.name, log: 'audit_logs', size: String(size), error: null })
      expect(outcome?.cosigned?.note.startsWith(String(note))).toBe(true)
      expect(cosignedAt(outcome?.cosigned?.note ?? '', key)).not.toBeNull()
    }
  })

  it('warns about a witness on the log’s own host', async () => {
    expect(server.notice).toContain('same host')
    expect(await (await fetch(server.url)).text()).toBe(`${server.verifierKey}\n${server.notice}\n`)
  })

  it('continues when a witness is unreachable, silent or not a witness', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const address = silent.address()
    const port = typeof address === 'object' ? address?.port : 0
    const away = { url: 'http://127.0.0.1:1/', key: { ...key, name: 'away' } }
    const dumb = { url: `http://127.0.0.1:${port}`, key: { ...key, name: 'silent' } }
    const wrong = { url: `${server.url}nowhere`, key: { ...key, name: 'wrong' } }
    await write(1)
    await ledger.seal()
    const outcomes = await witnessHeads(worker, tester, [away, dumb, wrong, witness()], { timeoutMs: 300 })
    expect(outcomes.map((outcome) => [outcome.witness, outcome.error?.code ?? null])).toEqual([
      ['away', 'unavailable'],
      ['silent', 'timeout'],
      ['wrong', 'unavailable'],
      [key.name, null],
    ])
    silent.close()
  })

  it('finds a log that was truncated, which nothing in the database shows', async () => {
    const tables = [
      'audit_logs',
      'ledger_entries',
      'ledger_heads',
      'ledger_tiles',
      'ledger_cosignatures',
    ].map((name) => `akashi_audit.${name}`)
    const published = async function* (name: string) {
      const known =
        name === auditLogs.log ? await witnessedNote(witness(), (await head())?.origin ?? '') : null
      if (known !== null) yield known
    }
    await database.asSuperuser(async (session) => {
      for (const table of tables)
        await session.query(`create table public.${table.replace('.', '_')} as table ${table}`)
    })
    const before = (await head())?.size
    await write(7)
    await ledger.seal()
    await witnessHeads(worker, tester, [witness()])
    const seen = (await head())?.size
    expect(await ledger.problems({ published })).toEqual([])
    // As from an older data folder: everything fits together, and the head is one that the log itself signed.
    await database.asSuperuser(async (session) => {
      const { rows } = await session.query<{ table: string; name: string }>(
        "select tgrelid::regclass::text as table, tgname as name from pg_trigger where tgname in ('refuse_change', 'keep_tile', 'keep_head', 'keep_checkpoint')",
      )
      for (const { table, name } of rows) await session.query(`alter table ${table} disable trigger ${name}`)
      for (const table of tables) {
        await session.query(
          `delete from ${table}; insert into ${table} select * from public.${table.replace('.', '_')}`,
        )
      }
      for (const { table, name } of rows)
        await session.query(`alter table ${table} enable always trigger ${name}`)
    })
    expect((await head())?.size).toBe(before)
    expect(await ledger.problems()).toEqual([])
    expect(await ledger.problems({ published })).toMatchObject([
      { kind: 'checkpoint', position: String(seen), detail: expect.stringContaining('cut off') as unknown },
    ])
    expect(await witnessHeads(worker, tester, [witness()])).toMatchObject([
      {
        error: {
          code: 'integrity',
          detail: { size: String(seen) },
          message: expect.stringContaining('was truncated') as unknown,
        },
      },
    ])
    // Grown again by other rows: a fork.
    await write(20)
    await ledger.seal()
    expect(await witnessHeads(worker, tester, [witness()])).toMatchObject([{ error: { code: 'integrity' } }])
    expect(await ledger.problems({ published })).toMatchObject([
      { kind: 'checkpoint', detail: expect.stringContaining('rewritten') as unknown },
    ])
  })

  it('is refused when it submits another history', async () => {
    const name = (await head())?.origin ?? ''
    const id = (await ledger.keyring.ensure('checkpoint')).id
    const forged = await signNote(
      ledger.keyring,
      id,
      name,
      checkpointText({ origin: name, size: 10_000n, root: leafHash(Buffer.from('other')) }),
    )
    await expect(
      submitToWitness(witness(), forged, (first) => Promise.resolve(first === 0n ? [] : [emptyRoot])),
    ).rejects.toMatchObject({ code: 'integrity' })
    await expect(
      submitToWitness(
        { ...witness(), key: { ...key, publicKey: log.publicKey } },
        (await head())?.note ?? '',
        () => Promise.resolve([]),
      ),
    ).rejects.toMatchObject({ code: expect.stringMatching(/integrity/) as unknown })
  })

  it.each([
    ['GET', 'add-checkpoint', undefined, 404],
    ['PUT', 'add-checkpoint', 'x', 405],
    ['GET', `${'0'.repeat(64)}/checkpoint`, undefined, 404],
    ['POST', 'add-checkpoint', 'x'.repeat(70_000), 413],
    ['POST', 'other', 'x', 404],
  ])('answers %s %s', async (method, path, body, status) => {
    const response = await fetch(`${server.url}${path}`, { method, ...(body === undefined ? {} : { body }) })
    expect(response.status).toBe(status)
    await response.text()
  })
})
