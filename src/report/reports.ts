/** Reports that were made. */
import { buffer } from 'node:stream/consumers'
import { AkashiError, given } from '../foundation/index.ts'
import type { ObjectStore } from '../object-store/index.ts'
import type { Actor, Database, Session } from '../postgres/index.ts'
import type { ComplianceDocument, Verdict } from './document.ts'
import { type ReportFile, readSigned, type Signed, sha256 } from './note.ts'

export interface ReportSummary {
  readonly id: string
  /** YYYY-MM. */
  readonly month: string
  readonly verdict: Verdict
  readonly createdAt: string
  readonly createdBy: string
  readonly files: readonly ReportFile[]
}

export interface StoredReport extends ReportSummary {
  readonly document: ComplianceDocument
  /** Signed note. */
  readonly note: string
}

/** More are not kept in one list: a century of months. */
const MAX_LISTED = 1_200

const SUMMARY = `id, month, verdict, created_at as "createdAt", created_by as "createdBy", files`

/** Newest first. @param database of a role that reads reports */
export async function listReports(
  database: Database,
  actor: Actor,
  { month, limit = MAX_LISTED }: { readonly month?: string | undefined; readonly limit?: number } = {},
): Promise<ReportSummary[]> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<ReportSummary>(
        `select ${SUMMARY} from akashi_security.compliance_reports
         where $1::text is null or month = $1 order by month desc, created_at desc limit $2`,
        [month ?? null, limit],
      ),
    { readOnly: true },
  )
  return rows
}

/** What the list says about one report. @throws not_found */
export async function readSummary(database: Database, actor: Actor, id: string): Promise<ReportSummary> {
  return await database.transaction(actor, (session) => find<ReportSummary>(session, SUMMARY, id), {
    readOnly: true,
  })
}

/** A report with its evidence; that it was read is recorded. @throws not_found */
export async function readReport(database: Database, actor: Actor, id: string): Promise<StoredReport> {
  return await database.transaction(actor, async (session) => {
    const report = await find<StoredReport>(session, `${SUMMARY}, document, note`, id)
    await session.query('select akashi_audit.record_access($1, $2)', ['compliance_reports', [id]])
    return report
  })
}

async function find<Report>(session: Session, columns: string, id: string): Promise<Report> {
  const { rows } = await session.query<Report>(
    `select ${columns} from akashi_security.compliance_reports where id = $1`,
    [id],
  )
  const [report] = rows
  if (report === undefined) throw new AkashiError('not_found', 'there is no such report')
  return report
}

/**
 * A file of a report, as it was signed.
 *
 * @throws not_found; integrity if the store has other bytes
 */
export async function readReportFile(
  store: ObjectStore,
  { files }: Pick<ReportSummary, 'files'>,
  name: string,
  signal?: AbortSignal,
): Promise<Buffer> {
  const file = files.find((one) => one.name === name)
  if (file === undefined) throw new AkashiError('not_found', `the report has no file ${name}`)
  const bytes = await buffer(await store.get(file.object, given({ signal })))
  if (sha256(bytes) !== file.sha256) {
    throw new AkashiError('integrity', 'the stored file is not the one that was signed', {
      detail: { object: file.object },
    })
  }
  return bytes
}

/** The signed note of the report that a file belongs to; null where no report has it. */
export async function noteOf(database: Database, actor: Actor, bytes: Uint8Array): Promise<string | null> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<{ note: string }>(
        'select note from akashi_security.compliance_reports where files @> $1::jsonb limit 1',
        [JSON.stringify([{ sha256: sha256(bytes) }])],
      ),
    { readOnly: true },
  )
  return rows[0]?.note ?? null
}

/**
 * Whether a file is one that the note of a report names and a known key signed.
 *
 * @throws integrity if not
 */
export function checkReportFile(
  bytes: Uint8Array,
  note: string,
  keys: readonly string[],
): Signed & { readonly file: string } {
  const signed = readSigned(note, keys)
  const digest = sha256(bytes)
  const file = signed.files.find((one) => one.sha256 === digest)
  if (file === undefined) {
    throw new AkashiError('integrity', 'the file is not one that was signed with this report', {
      hint: 'it was changed, or belongs to another report',
    })
  }
  return { ...signed, file: file.name }
}
