import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { readEvidenceFile, verifyEvidence } from '@akashi/client/evidence'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { currentPolicy, readHead, verifierKeys, witnessKey } from '../../src/audit/index.ts'
import { checkEvidenceFile, evidenceVerifierKeys, makeEvidence } from '../../src/evidence/index.ts'
import { MAX_EVIDENCE_ROWS } from '../../src/evidence/limits.ts'
import { systemClock } from '../../src/foundation/index.ts'
import { cosign, formatCosignerKey, formatNote, formatVerifierKey, parseNote } from '../../src/keys/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { builtPages, expectAccessible, hasChromium, openChromium } from '../web/support.ts'

/** What would end the element that holds the rows, run, or load something. */
const HOSTILE = `</script><script>document.title = 'broken'</script><!-- \u2028 <img src="http://192.0.2.1/x" onerror="alert(1)">`
const REASON = 'the yearly audit'
const WITNESS = 'witness.example/w1'
const EVIDENCE_KEY_OF_OTHERS = formatVerifierKey({
  name: 'akashi.local/evidence',
  publicKey: new Uint8Array(32).fill(7),
})

const database = testDatabase()
const worker = database.open('worker')
const admin = database.open('security_admin')
const ledger = testLedger(worker)
const signal = new AbortController().signal
/** From when this file began, so that the log has entries before. */
const range = { from: '', to: '2100-01-01T00:00:00Z', reason: REASON }
let folder = ''
let html = ''

builtPages()

const make = (logs: readonly string[] = ['audit_logs', 'security_events'], asked: object = {}) =>
  makeEvidence(
    { database: admin, keyring: ledger.keyring, clock: systemClock },
    tester,
    { logs, ...range, ...asked },
    signal,
  )

/** The head as it is now, cosigned, as the witness that the database trusts would. */
async function cosignHead(log: string): Promise<void> {
  const key = await witnessKey(ledger.keyring, WITNESS, 'ed25519')
  const head = await worker.transaction(tester, (session) => readHead(session, log))
  const { text, signatures } = parseNote(head?.note ?? '')
  const at = new Date()
  const note = formatNote({ text, signatures: [...signatures, await cosign(key, text, at)] })
  await database.asSuperuser(async (session) => {
    await session.query(
      'insert into akashi_audit.witnesses (name, url, verifier_key) values ($1, $2, $3) on conflict do nothing',
      [WITNESS, 'https://witness.example/', formatCosignerKey(key)],
    )
    await session.query('insert into akashi_audit.ledger_cosignatures values ($1, $2, $3, $4, $5, $6)', [
      log,
      head?.epoch,
      head?.size.toString(),
      WITNESS,
      note,
      at,
    ])
  })
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'akashi-evidence-'))
  range.from = new Date().toISOString()
  await database.asSuperuser((session) =>
    session.query(
      `create table shop (id int primary key, name text); select akashi_audit.protect('shop', 'confidential', 'id');
       insert into shop select i, 'n' || i from generate_series(1, 40) i`,
    ),
  )
  await database.asSuperuser((session) =>
    session.query(
      `insert into akashi_security.security_events (event_type, event_category, severity, source_service, event_details)
       values ('ログイン', 'system', 'info', 's', jsonb_build_object('note', $1::text))`,
      [HOSTILE],
    ),
  )
  await ledger.seal()
  for (const log of ['audit_logs', 'security_events']) await cosignHead(log)
  html = (await make()).html
})

afterAll(() => rm(folder, { recursive: true, force: true }))

/** The file with another document, which is not signed. */
function changed(change: (document: string) => string): string {
  const { document } = readEvidenceFile(html) ?? { document: '' }
  const other = change(document)
  expect(other).not.toBe(document)
  return html.replace(document, () => other)
}

const kinds = async (file: string) =>
  new Set((await checkEvidenceFile(file)).problems.map(({ kind }) => kind))

describe('an evidence file', () => {
  it('proves its rows by the quorum of witnesses, and is the page that this version writes', async () => {
    const checked = await checkEvidenceFile(html)
    expect(checked).toMatchObject({ verdict: 'witnessed', trust: 'file', page: 'same', problems: [] })
    const [audit, events] = checked.parts
    expect(audit?.rows.length).toBeGreaterThan(40)
    expect(events?.rows.find(({ row }) => row['event_type'] === 'ログイン')?.state).toBe('proven')
    const policy = await currentPolicy(worker, tester, verifierKeys(ledger.keyring))
    expect(await checkEvidenceFile(html, policy)).toMatchObject({
      verdict: 'witnessed',
      trust: 'given',
      signer: 'file',
    })
    const [own] = await evidenceVerifierKeys(ledger.keyring)
    const withKey = `# ${own?.key}\n${policy}`
    expect(await checkEvidenceFile(html, withKey)).toMatchObject({ verdict: 'witnessed', signer: 'given' })
    // Signed by somebody else, who may have left rows out.
    const other = await checkEvidenceFile(html, `# ${EVIDENCE_KEY_OF_OTHERS}\n${policy}`)
    expect(other.problems).toEqual([expect.objectContaining({ kind: 'note' })])
  })

  it('proves nothing to somebody who trusts other keys, and not enough where more witnesses are asked for', async () => {
    const policy = await currentPolicy(worker, tester, verifierKeys(ledger.keyring))
    const nobody = await checkEvidenceFile(html, 'quorum none\n')
    expect(nobody.verdict).toBe('failed')
    expect(new Set(nobody.problems.map(({ kind }) => kind))).toEqual(new Set(['checkpoint']))
    const other = await witnessKey(ledger.keyring, 'witness.example/w2', 'ed25519')
    const stricter = policy.replace(
      /^quorum .*/m,
      `witness w2 ${formatCosignerKey(other)}\ngroup both all ${WITNESS} w2\nquorum both`,
    )
    expect(await checkEvidenceFile(html, stricter)).toMatchObject({ verdict: 'signed', problems: [] })
  })

  it('says which rows have no cosignature yet, with the checkpoint of each', async () => {
    await database.asSuperuser((session) => session.query("insert into shop values (1000, 'later')"))
    await ledger.seal()
    const checked = await checkEvidenceFile((await make(['audit_logs'])).html)
    expect(checked.verdict).toBe('signed')
    expect(checked.parts.map(({ quorum }) => quorum)).toEqual(['met', 'not met'])
    const [covered, late] = checked.parts
    expect(late?.rows.some(({ row }) => row['record_id'] === '1000')).toBe(true)
    expect(Number(late?.rows[0]?.position)).toBe(Number(covered?.checkpoint?.size))
  })

  it('names a row that was changed, and still proves the others', async () => {
    const file = changed((document) => document.replace('"n7', '"n8').replace('\\"n7', '\\"n8'))
    const { verdict, problems, parts } = await checkEvidenceFile(file)
    expect(verdict).toBe('failed')
    const rows = parts.flatMap((part) => part.rows)
    const wrong = rows.filter(({ state }) => state !== 'proven')
    expect(wrong.map(({ row, state }) => [row['record_id'], state])).toEqual([['7', 'changed']])
    expect(problems).toContainEqual(
      expect.objectContaining({ kind: 'row', log: 'audit_logs', position: wrong[0]?.position }),
    )
  })

  it('proves none of the rows when a changed one was given its hash', async () => {
    const honest = JSON.parse(readEvidenceFile(html)?.document ?? '')
    const [part] = honest.parts
    const [first, second] = part.rows
    // Both are rows of the log, but not there.
    part.rows[0] = { ...second, position: first.position }
    const { note = '' } = readEvidenceFile(html) ?? {}
    const { parts } = await verifyEvidence(JSON.stringify(honest), note)
    expect(new Set(parts[0]?.rows.map(({ state }) => state))).toEqual(new Set(['not proven']))
    expect(new Set(parts[1]?.rows.map(({ state }) => state))).toEqual(new Set(['proven']))
  })

  it('does not show a row twice, and a file without rows as confirmed by nobody', async () => {
    const { document = '', note = '' } = readEvidenceFile(html) ?? {}
    const honest = JSON.parse(document)
    honest.parts.push(honest.parts[0])
    expect((await verifyEvidence(JSON.stringify(honest), note)).problems).toEqual([
      expect.objectContaining({ kind: 'document' }),
    ])
    const before = { from: '2025-01-01T00:00:00Z', to: '2025-02-01T00:00:00Z' }
    const empty = await checkEvidenceFile((await make(['audit_logs'], before)).html)
    expect(empty).toMatchObject({ verdict: 'signed', parts: [], problems: [] })
  })

  it('names what was changed elsewhere', async () => {
    const node = /"nodes":\["(.)/
    expect(
      await kinds(
        changed((text) =>
          text.replace(node, (found, byte) => found.slice(0, -1) + (byte === 'A' ? 'B' : 'A')),
        ),
      ),
    ).toEqual(new Set(['note', 'tree']))
    const entry = /"entry":"(.)/
    expect(
      await kinds(
        changed((text) =>
          text.replace(entry, (found, byte) => found.slice(0, -1) + (byte === 'A' ? 'B' : 'A')),
        ),
      ),
    ).toEqual(new Set(['note', 'entry']))
    expect(
      await kinds(
        changed((text) =>
          text.replace(
            /— witness\.example\/w1 \S{30}/,
            (found) => `${found.slice(0, -1)}${found.endsWith('A') ? 'B' : 'A'}`,
          ),
        ),
      ),
    ).toEqual(new Set(['note', 'cosignature']))
    expect(await kinds(changed((text) => text.replace(/"to":"2100/, '"to":"2101')))).toEqual(
      new Set(['note']),
    )
    expect(await checkEvidenceFile(html.replace('<title>Akashi', '<title>Akushi'))).toMatchObject({
      page: 'different',
    })
  })

  it('does not pass with any byte of its data changed', async () => {
    const { document = '' } = readEvidenceFile(html) ?? {}
    const start = Buffer.from(html.slice(0, html.indexOf(document))).length
    const bytes = Buffer.from(html)
    const length = Buffer.from(document).length
    await fc.assert(
      fc.asyncProperty(fc.nat(length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const other = Buffer.from(bytes)
        other[start + at] = (other[start + at] ?? 0) ^ change
        const found = readEvidenceFile(other.toString('utf8'))
        const checked = await verifyEvidence(found?.document ?? '', found?.note ?? '')
        expect(checked.verdict).toBe('failed')
      }),
      { numRuns: 150 },
    )
  })

  it('is refused for rows that were not sealed so, for too many, and without a reason', async () => {
    await expect(make(['audit_logs'], { reason: ' ' })).rejects.toMatchObject({ code: 'invalid_input' })
    await expect(make(['audit_logs'], { from: 'yesterday' })).rejects.toMatchObject({ code: 'invalid_input' })
    await expect(make(['nowhere'])).rejects.toMatchObject({ code: 'invalid_input' })
    await database.asSuperuser((session) =>
      session.query(
        `create table many (id int primary key); select akashi_audit.protect('many', 'internal', 'id');
         insert into many select generate_series(1, ${MAX_EVIDENCE_ROWS + 1})`,
      ),
    )
    await ledger.seal()
    await expect(make(['audit_logs'])).rejects.toMatchObject({
      code: 'invalid_input',
      message: expect.stringContaining(`${MAX_EVIDENCE_ROWS} rows`),
    })
  })

  it('is recorded in the trail with the reason, by whom it was read', async () => {
    const made = await make(['security_events'], { asked: { link: 'x' } })
    const { rows } = await worker.transaction(tester, (session) =>
      session.query<{ detail: { records: string[]; reason: string; asked: object } }>(
        `select detail from akashi_audit.audit_logs where event_type = 'data_access' and resource = 'akashi_security.security_events'
         order by created_at desc limit 1`,
      ),
    )
    expect(rows[0]?.detail).toMatchObject({
      reason: REASON,
      asked: { link: 'x', evidence: { log: 'security_events', from: range.from, to: range.to } },
    })
    expect(rows[0]?.detail.records).toHaveLength(made.rows)
  })
})

describe.skipIf(!hasChromium)(
  'an evidence file in a browser, from a disk and without a network',
  { timeout: 120_000 },
  () => {
    const chromium = openChromium()

    const opened = async (name: string, text: string, language = 'en-US') => {
      const file = join(folder, name)
      await writeFile(file, text)
      const page = await chromium.page({ offline: true, locale: language })
      const asked: string[] = []
      page.on('request', (request) => asked.push(request.url()))
      await page.goto(pathToFileURL(file).href)
      return { page, asked: () => asked.filter((url) => !url.startsWith('file:')) }
    }

    it('checks itself, shows hostile rows as text, and asks nobody', async () => {
      const { page, asked } = await opened('whole.html', html)
      await page
        .getByRole('heading', { name: 'Every row is proven, and the required witnesses confirm it' })
        .waitFor()
      await page.getByRole('searchbox').fill('ログイン')
      const row = page.locator('details').first()
      await row.locator('summary').click()
      await row.locator('dl').waitFor()
      expect(await row.textContent()).toContain('</script><script>')
      expect(await page.title()).toBe('Evidence from the audit record')
      await expectAccessibleFile(page)
      await page.getByRole('button', { name: '日本語' }).click()
      await page.getByRole('heading', { name: 'すべての行が証明され、必要な証人が確認しています' }).waitFor()
      expect(asked()).toEqual([])
      expect(chromium.faults).toEqual([])
      await page.context().close()
    })

    it('names what was tampered with', async () => {
      const { page } = await opened(
        'tampered.html',
        changed((document) => document.replaceAll('\\"n7\\"', '\\"n8\\"')),
        'ja-JP',
      )
      await page.getByRole('heading', { name: 'このファイルは、示している内容を証明していません' }).waitFor()
      await page.getByRole('heading', { name: '行が変更されています' }).waitFor()
      await page.getByRole('combobox', { name: '検証' }).selectOption('changed')
      expect(await page.locator('details').count()).toBe(1)
      await page.context().close()
    })

    it('shows that nothing was checked when its program was changed', async () => {
      const { page } = await opened(
        'program.html',
        html.replace('"use strict"', '"use_strict"').replace(/(<script>)/, '$1 '),
      )
      await page.getByText('Nothing has been checked').waitFor()
      await page.context().close()
      chromium.faults.length
    })

    /** The policy of the page lets no other program in, so that axe needs a copy without it. */
    async function expectAccessibleFile(page: Awaited<ReturnType<typeof opened>>['page']): Promise<void> {
      const file = join(folder, 'without-policy.html')
      await writeFile(
        file,
        (await readFile(join(folder, 'whole.html'), 'utf8')).replace(/<meta http-equiv[^>]*>/, ''),
      )
      const other = await page.context().newPage()
      await other.goto(pathToFileURL(file).href)
      await other.locator('details').first().waitFor()
      await expectAccessible(other)
      await other.close()
    }
  },
)
