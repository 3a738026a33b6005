/** What is due for each partition, as akashi_lifecycle.archive_plan and retirement_plan work it out. */
import { counted } from '../../foundation/index.ts'
import type { Actor, Database, Session } from '../../postgres/index.ts'
import { type PlannedCopy, readPlannedCopies } from './copies.ts'
import type { ExportRecord } from './records.ts'
import type { Target } from './source.ts'

export interface PlanOptions {
  /** As if it were then; default now by the clock of the database: that of this machine may be wrong. */
  readonly asOf?: Date
  /** `schema.table`; without it, every table. */
  readonly table?: { readonly schema: string; readonly table: string }
  /** Only what the timetable does at 02:00 (`export`), 03:00 (`expire`) or 04:00 (`retire`); default the first two. */
  readonly only?: 'export' | 'expire' | 'retire'
  /** Only partitions whose last export was verified this many milliseconds ago expire; default 0. */
  readonly settleMs?: number
  readonly signal?: AbortSignal
}

/** What was done, or would be done, about one partition. */
export interface ArchiveRow {
  /** `schema.table` */
  readonly table: string
  readonly partition: string
  /**
   * `export`, `drop`, `reattach`, `copy` and `retire` are a plan, and `exported`, `dropped`, `reattached`, `copied` and
   * `retired` were done; `held`: kept by a legal hold or because it was restored; `busy`: another run works on it.
   */
  readonly action:
    | 'export'
    | 'drop'
    | 'reattach'
    | 'copy'
    | 'retire'
    | 'exported'
    | 'dropped'
    | 'reattached'
    | 'copied'
    | 'retired'
    | 'held'
    | 'busy'
    | 'failed'
  readonly rows: number
  readonly exported: boolean
  readonly dropped: boolean
  /** Key of the manifest in the store. */
  readonly object: string | null
  readonly message: string
}

interface Planned extends Target {
  /** Rows of its exports, or an estimate of the server for what was never exported. */
  readonly rows: number
  readonly estimated: boolean
  /** Of its last export; null where there is none. */
  readonly manifest: string | null
  /** Why it is kept although it is due; null when it is not. */
  readonly heldBy: string | null
}

/** A partition that is closed. */
export interface PlannedPartition extends Planned {
  /** Null when it is exported and not yet due to leave: only late rows are exported then. */
  readonly step: 'export' | 'drop' | 'held' | 'reattach' | null
  /** Attached to its table; else detached, in schema akashi_archive. */
  readonly attached: boolean
  readonly mutable: boolean
  readonly csv: boolean
  readonly state: ExportRecord['state'] | null
  readonly verifiedAt: string | null
}

/** An export, or a partition of a table that is not archived, whose total retention is over. */
export interface PlannedRetirement extends Planned {
  readonly step: 'retire' | 'held'
  /** Null for a partition of a table that is not archived. */
  readonly export: string | null
  /** The policy in words, for the retention record. */
  readonly policy: string
}

const partitionsSql = `
  select schema_name as schema, table_name as "table", partition_name as partition, lower_bound as "from", upper_bound as "to",
         step, held_by as "heldBy", attached, mutable, csv, state, row_count::float8 as rows, estimated, manifest,
         verified_at as "verifiedAt"
  from akashi_lifecycle.archive_plan(coalesce($1, now()), $2, $3)`

const retirementsSql = `
  select schema_name as schema, table_name as "table", partition_name as partition, lower_bound as "from", upper_bound as "to",
         step, held_by as "heldBy", export_id as export, policy_text as policy, row_count::float8 as rows, estimated, manifest
  from akashi_lifecycle.retirement_plan(coalesce($1, now()), $2, $3)`

const parameters = ({ asOf, table }: PlanOptions) => [
  asOf?.toISOString() ?? null,
  table?.schema ?? null,
  table?.table ?? null,
]

/** Every closed partition, in the order of tables and bounds. */
export async function readPartitions(session: Session, options: PlanOptions): Promise<PlannedPartition[]> {
  const { rows } = await session.query<PlannedPartition>(partitionsSql, parameters(options))
  return rows.map((planned) => ({ ...planned, step: stepOf(planned, options) }))
}

/** Everything whose total retention is over, in the order of tables and bounds. */
export async function readRetirements(session: Session, options: PlanOptions): Promise<PlannedRetirement[]> {
  const { rows } = await session.query<PlannedRetirement>(retirementsSql, parameters(options))
  return rows
}

/** What is left of a step when a run only exports or only expires. */
function stepOf(
  { step, state, attached, verifiedAt }: PlannedPartition,
  { only, settleMs = 0, asOf = new Date() }: PlanOptions,
): PlannedPartition['step'] {
  if (only === 'export') {
    if (step !== 'drop') return step === 'export' ? step : null
    return attached && state !== 'verified' ? 'export' : null
  }
  if (
    step === 'drop' &&
    settleMs > 0 &&
    verifiedAt !== null &&
    Date.parse(verifiedAt) > asOf.getTime() - settleMs
  ) {
    return null
  }
  if (only !== 'expire') return step
  return step === 'export' || (step === 'drop' && attached && state !== 'verified') ? null : step
}

/** An {@link ArchiveRow} that says what would be done. */
export type PlanRow = ArchiveRow & {
  readonly action: 'export' | 'drop' | 'held' | 'reattach' | 'copy' | 'retire'
}

export function rowOf<A extends ArchiveRow['action']>(
  { schema, table, partition, rows, manifest }: PlannedPartition | PlannedRetirement | PlannedCopy,
  action: A,
  message: string,
  done: Partial<Pick<ArchiveRow, 'rows' | 'exported' | 'dropped' | 'object'>> = {},
): ArchiveRow & { readonly action: A } {
  const known = { rows, exported: false, dropped: false, object: manifest }
  return { table: `${schema}.${table}`, partition, action, ...known, ...done, message }
}

/** What a run with these options would do now; changes nothing and reads no rows. */
export async function planArchive(
  database: Database,
  actor: Actor,
  options: PlanOptions = {},
): Promise<PlanRow[]> {
  const { signal } = options
  return await database.transaction(
    actor,
    async (session) => {
      const copies = (await readPlannedCopies(session, options)).filter(
        ({ step }) => (step === 'copy') !== (options.only === 'retire'),
      )
      const others =
        options.only === 'retire'
          ? (await readRetirements(session, options)).map(describeRetirement)
          : (await readPartitions(session, options)).flatMap(describePartition)
      return options.only === 'expire' ? others : [...others, ...copies.map(describeCopy)]
    },
    { readOnly: true, ...(signal === undefined ? {} : { signal }) },
  )
}

function describePartition(planned: PlannedPartition): PlanRow[] {
  const { step, schema, partition, rows, estimated, state, heldBy } = planned
  if (step === null) return []
  const exported = state === 'verified' || state === 'detached'
  const name = `${schema}.${partition}`
  const size = `${estimated ? 'about ' : ''}${counted(rows, 'row')}`
  const message = step === 'held' ? `Would keep: ${name} (${heldBy})` : `Would process: ${name} (${size})`
  return [rowOf(planned, step, message, { exported })]
}

function describeRetirement(planned: PlannedRetirement): PlanRow {
  const { step, heldBy, policy } = planned
  return rowOf(planned, step, step === 'held' ? `Would keep: ${heldBy}` : `Would be deleted (${policy})`)
}

function describeCopy(planned: PlannedCopy): PlanRow {
  const part = partOf(planned)
  if (planned.step === 'copy') return rowOf(planned, 'copy', `Would copy ${part} to ${planned.destination}`)
  const what = `the copy of ${part} at ${planned.destination}`
  return planned.step === 'held'
    ? rowOf(planned, 'held', `Would keep ${what}: legal hold`)
    : rowOf(planned, 'retire', `Would delete ${what}, kept until ${planned.keepUntil}`)
}

/** Which rows a copy has, in words. */
export function partOf({ tenant, class: kind }: Pick<PlannedCopy, 'tenant' | 'class'>): string {
  const parts = [
    ...(tenant === null ? [] : [`tenant ${tenant}`]),
    ...(kind === null ? [] : [`class ${kind}`]),
  ]
  return parts.length === 0 ? 'all rows' : parts.join(', ')
}
