import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pathToFileURL } from 'node:url'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fixedClock } from '../../src/foundation/index.ts'
import { type Keyring, openKeyring } from '../../src/keys/index.ts'
import { type ObjectStore, openObjectStore } from '../../src/object-store/index.ts'
import { reportTasks } from '../../src/operations/index.ts'
import { controls } from '../../src/report/controls.ts'
import { render } from '../../src/report/formats.ts'
import {
  checkReportFile,
  listReports,
  type MadeReport,
  type MakeParts,
  makeReport,
  monthBefore,
  monthOf,
  noteOf,
  parseMonth,
  readReport,
  readReportFile,
  reportVerifierKeys,
} from '../../src/report/index.ts'
import { texts } from '../../src/report/texts/index.ts'
import { testDatabase } from '../support/index.ts'
import { tester } from '../support/tester.ts'

const database = testDatabase()
const securityAdmin = database.open('security_admin')
const worker = database.open('worker')
const app = { name: 'shop', version: '1.2.3', tier: 'system', environment: 'prod' }
/** The tables are empty before the test; the month is the one that the database's clock shows. */
const clock = fixedClock(new Date())
const month = monthOf(clock.now(), 'Asia/Tokyo')
let folder = ''
let keyring: Keyring
let store: ObjectStore
let parts: MakeParts
let made: MadeReport

const evidence = ({ document }: Pick<MadeReport, 'document'>, control: string, key: string) =>
  document.controls.find(({ id }) => id === control)?.evidence.find((one) => one.key === key)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'akashi-report-'))
  keyring = await openKeyring(pathToFileURL(join(folder, 'keys')).href)
  store = await openObjectStore(pathToFileURL(join(folder, 'objects')).href)
  parts = { securityAdmin, worker, keyring, store, app, clock, actor: tester }
  await database.asSuperuser(async (session) => {
    await session.query('create table public.loose (id integer primary key)')
    await session.query(
      `insert into akashi_lifecycle.drills (system_id, started_at, finished_at, ok, rpo_seconds, rto_seconds, phases, problems, object, note)
       values ('1', now(), now(), true, 12.5, 90, '[]', '{}', 'drills/1/a', 'note'),
              ('1', now(), now(), false, 4000, 95, '[]', '{"RPO is 4000 s, the limit is 3600 s"}', 'drills/1/b', 'note')`,
    )
    await session.query(
      `insert into akashi_audit.verifications (started_at, ok, report, mode) values (now(), true, '{}', 'full')`,
    )
  })
  made = await makeReport(parts, month)
})
afterAll(async () => {
  await keyring.close()
  await rm(folder, { recursive: true, force: true })
})

describe('a compliance report', () => {
  it('measures what is there, and judges it by what is required', () => {
    expect(evidence(made, 'audit_coverage', 'uncovered')).toMatchObject({ value: 1, status: 'not_met' })
    expect(evidence(made, 'recovery', 'passed')).toMatchObject({ value: 1, status: 'info' })
    expect(evidence(made, 'recovery', 'worst_rpo_seconds')).toMatchObject({
      value: 4000,
      required: { is: 'at_most', value: 3600 },
      status: 'not_met',
    })
    expect(evidence(made, 'recovery', 'worst_rto_seconds')).toMatchObject({ value: 95, status: 'met' })
    expect(evidence(made, 'verification', 'full_runs')).toMatchObject({ value: 1, status: 'met' })
    expect(evidence(made, 'backup', 'hours_since_backup')).toMatchObject({ value: null, status: 'missing' })
    expect(evidence(made, 'row_security', 'unprotected_tables')).toMatchObject({ value: 0, status: 'met' })
    expect(made.document.verdict).toBe('not_fulfilled')
  })

  it('gives for each figure a statement that measures the same', async () => {
    for (const { evidence: rows } of made.document.controls) {
      for (const { query, key, value } of rows.filter((one) => one.query.startsWith('select '))) {
        const { rows: found } = await securityAdmin.transaction(tester, (session) =>
          session.query<Record<string, unknown>>(query),
        )
        const again = found[0]?.[key]
        // Time passes, and the report itself is a row under audit.
        if (!/hours|days|seconds|sealed/.test(key))
          expect([key, again === null ? null : Number(again)]).toEqual([key, value])
      }
    }
  })

  it('is signed, kept and recorded in the trail with its digests', async () => {
    const keys = await reportVerifierKeys(keyring)
    const { id } = made.document
    const stored = await readReport(securityAdmin, tester, id)
    expect(stored.document).toEqual(JSON.parse(JSON.stringify(made.document)))
    for (const { name } of made.files) {
      const bytes = await readReportFile(store, stored, name)
      const note = await noteOf(securityAdmin, tester, bytes)
      expect(checkReportFile(bytes, note ?? '', keys)).toMatchObject({
        id,
        month,
        file: name,
        verdict: 'not_fulfilled',
      })
    }
    const { rows } = await securityAdmin.transaction(tester, (session) =>
      session.query<{ values: { files: unknown; document?: unknown } }>(
        `select new_values as values from akashi_audit.audit_logs where table_name = 'compliance_reports' and record_id = $1`,
        [id],
      ),
    )
    expect(rows).toHaveLength(1)
    expect(rows[0]?.values.files).toEqual(made.files)
    expect(rows[0]?.values.document).not.toBeTypeOf('object')
  })

  it('shows a file that was changed, and a note that another key signed', async () => {
    const keys = await reportVerifierKeys(keyring)
    const html = made.contents.get('report.en.html') ?? Buffer.alloc(0)
    const forged = Buffer.from(html.toString().replace('Not fulfilled', 'Fulfilled'))
    expect(forged.equals(html)).toBe(false)
    expect(() => checkReportFile(forged, made.note, keys)).toThrow(/not one that was signed/)
    expect(await noteOf(securityAdmin, tester, forged)).toBeNull()
    const other = await openKeyring(pathToFileURL(join(folder, 'other')).href)
    await other.ensure('report')
    const foreign = await reportVerifierKeys(other)
    expect(() => checkReportFile(html, made.note, foreign)).toThrow(/not signed by any known key/)
    await other.close()
    const verdict = made.note.replace('verdict not_fulfilled', 'verdict fulfilled')
    expect(() => checkReportFile(html, verdict, keys)).toThrow(/signature/)
    const lying: ObjectStore = { ...store, get: async () => Readable.from([forged]) }
    await expect(readReportFile(lying, made, 'report.en.html')).rejects.toMatchObject({ code: 'integrity' })
  })

  it('cannot be changed or removed, and is made by the worker alone', async () => {
    for (const text of [
      `update akashi_security.compliance_reports set verdict = 'fulfilled'`,
      'delete from akashi_security.compliance_reports',
    ]) {
      await expect(database.asSuperuser((session) => session.query(text))).rejects.toThrow(
        /cannot be changed or removed/,
      )
    }
    await expect(
      securityAdmin.transaction(tester, (session) =>
        session.query(
          `insert into akashi_security.compliance_reports (month, covers_from, covers_until, verdict, document, files, note)
           values ('2026-01', now() - interval '1 day', now(), 'fulfilled', '{}', '[]', '')`,
        ),
      ),
    ).rejects.toMatchObject({ code: 'forbidden' })
  })

  it('stands beside the report of the month before', async () => {
    const [year = 0, number = 0] = month.split('-').map(Number)
    const next = `${number === 12 ? year + 1 : year}-${String((number % 12) + 1).padStart(2, '0')}`
    const later = await makeReport(parts, next)
    expect(later.document.comparedWith).toBe(made.document.generatedAt)
    expect(evidence(later, 'audit_coverage', 'uncovered')).toMatchObject({ value: 1, previous: 1 })
    expect(evidence(later, 'recovery', 'failed')).toMatchObject({ value: 0, previous: 1 })
    expect((await listReports(securityAdmin, tester)).map((one) => one.month)).toEqual([next, month])
    expect(await listReports(securityAdmin, tester, { month: '1999-01' })).toEqual([])
  })
})

describe('its pages', () => {
  it('say everything in both languages, with nothing from elsewhere', () => {
    for (const language of ['ja', 'en'] as const) {
      const html = made.contents.get(`report.${language}.html`)?.toString() ?? ''
      const words = texts[language]
      for (const { id, evidence: definitions } of controls) {
        const text = words.controls[id]
        expect(html).toContain(text?.title)
        expect(definitions.map(({ key }) => [key, text?.evidence[key] === undefined])).toEqual(
          definitions.map(({ key }) => [key, false]),
        )
        expect(Object.keys(text?.evidence ?? {}).toSorted()).toEqual(
          definitions.map(({ key }) => key).toSorted(),
        )
      }
      expect(html).toContain(words.verdicts.not_fulfilled.title)
      expect(html).not.toMatch(/undefined|NaN|\[object|<script|(src|href)=/)
    }
  })

  it('are in the PDF too, with every font embedded and the text readable', async () => {
    for (const language of ['ja', 'en'] as const) {
      const name = `report.${language}.pdf`
      const bytes = made.contents.get(name) ?? Buffer.alloc(0)
      expect(bytes.subarray(0, 5).toString()).toBe('%PDF-')
      // The whole font has 4 MB.
      expect(bytes.length).toBeLessThan(500_000)
      expect(bytes.includes('/FontFile2')).toBe(true)
      expect(bytes.includes('pdfaid:part>2<')).toBe(true)
      expect(bytes.includes('BIZUDPGothic-Regular')).toBe(true)
      // The same document gives the same bytes.
      expect((await render(made.document)).get(name)?.equals(bytes)).toBe(true)
    }
  })

  it('escape what the installation calls itself', async () => {
    const hostile = await makeReport(
      { ...parts, app: { ...app, name: '<script>alert(1)</script>' } },
      '2020-02',
    )
    for (const language of ['ja', 'en']) {
      expect(hostile.contents.get(`report.${language}.html`)?.toString()).not.toContain('<script')
    }
    expect(hostile.document).toMatchObject({
      from: '2020-01-31T15:00:00Z',
      until: '2020-02-29T15:00:00Z',
      timeZone: 'Asia/Tokyo',
    })
  })
})

it('knows months', () => {
  expect(monthBefore('2026-01')).toBe('2025-12')
  expect(monthOf(new Date('2026-10-31T15:00:00Z'), 'Asia/Tokyo')).toBe('2026-11')
  for (const wrong of ['2026-13', '2026-1', '26-01', '2026-00', "2026-01'; drop"]) {
    expect(() => parseMonth(wrong)).toThrow(/is not a month/)
  }
})

describe('the monthly job', () => {
  it('makes the report of the month that ended, once', async () => {
    const { rows } = await database.asSuperuser((session) =>
      session.query<{ task: string }>(
        `select task from akashi_lifecycle.jobs where name = 'compliance-report'`,
      ),
    )
    const task = reportTasks({ securityAdmin, keyring, store, app })[rows[0]?.task ?? '']
    const context = {
      worker,
      actor: tester,
      signal: AbortSignal.timeout(60_000),
      log: pino({ level: 'silent' }),
      onProgress: () => undefined,
    }
    const first = await task?.(context)
    expect(first).toMatchObject({ month: monthBefore(month) })
    expect(await task?.(context)).toEqual({
      skipped: `the report ${String(first?.['report'])} was created before`,
    })
  })
})
