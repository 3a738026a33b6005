import type { ProblemKind } from '../audit/index.ts'
import { type BackupSource, type BackupStore, type DrillReport, runDrill } from '../backup/index.ts'
import { given } from '../foundation/index.ts'
import { type Keyring, signNote } from '../keys/index.ts'
import type { ObjectStore } from '../object-store/index.ts'
import type { Actor, Database, Session } from '../postgres/index.ts'
import { recordEvent } from '../security/index.ts'
import { verifyCopy } from './ledger-tasks.ts'

/** `drill`: to a random moment. `recovery_test`: to the latest moment, every half-year. */
export type DrillKind = 'drill' | 'recovery_test'

export interface DrillParts {
  readonly keyring: Keyring
  readonly store: ObjectStore
  readonly backupStore: BackupStore
  /** Of the role `worker`. */
  readonly worker: Database
  readonly actor: Actor
  /** Folder for scratch servers. */
  readonly place: string
  /** Folder with the programs of the backups' major version; default where packages put them. */
  readonly binaries?: string
  /** Default drill. */
  readonly kind?: DrillKind
  /** The cluster to restore; the drill only reads its address. */
  readonly source: Pick<BackupSource, 'url'>
  readonly signal?: AbortSignal
  readonly onPhase?: (phase: string) => void
}

export interface Drill {
  readonly id: string
  readonly kind: DrillKind
  readonly startedAt: string
  readonly finishedAt: string
  readonly ok: boolean
  readonly target: string | null
  readonly rpoSeconds: number | null
  readonly rtoSeconds: number | null
  readonly phases: DrillReport['phases']
  readonly problems: readonly string[]
  /** Key of the signed report in the object store. */
  readonly object: string
  /** The report as a signed note. */
  readonly note: string
}

const DAY_SECONDS = 86_400

/**
 * Problems that say nothing about a restored copy: a trigger that was missing at the target time is missing in
 * the copy too, and rows that waited for the sealer then still wait.
 */
const LIVE_ONLY: ReadonlySet<ProblemKind> = new Set(['trigger', 'unsealed'])

interface Limits {
  readonly rpoSeconds: number
  readonly rtoSeconds: number
}

async function readLimits(session: Session): Promise<Limits> {
  const { rows } = await session.query<Limits>(
    `select akashi_lifecycle.setting('backup.drill_rpo_limit_seconds')::float8 as "rpoSeconds",
            akashi_lifecycle.setting('backup.drill_rto_limit_seconds')::float8 as "rtoSeconds"`,
  )
  const [limits] = rows
  if (limits === undefined) throw new Error('a select without a table returns one row')
  return limits
}

/** Runs a drill and stores its signed report in the object store and the database. A failed drill raises an alarm. */
export async function drill(parts: DrillParts): Promise<DrillReport & { readonly object: string }> {
  const {
    keyring,
    store,
    backupStore,
    worker,
    actor,
    place,
    kind = 'drill',
    source,
    binaries,
    signal,
    onPhase,
  } = parts
  const { rpoSeconds, rtoSeconds } = await worker.transaction(actor, readLimits, { readOnly: true })
  const report = await runDrill(backupStore, {
    place,
    moment: kind === 'drill' ? 'random' : 'latest',
    databaseName: databaseOf(source.url),
    limits: { rpoSeconds, rtoSeconds },
    verifyLedger: async (copy, cancel) => {
      const { logs } = await verifyCopy(copy, actor, { keyring, store }, cancel)
      return {
        checked: logs.reduce((sum, { checked }) => sum + checked, 0),
        problems: logs.flatMap(({ log, problems }) =>
          problems
            .filter(({ kind }) => !LIVE_ONLY.has(kind))
            .map(({ kind, detail }) => `${log}: ${kind}: ${detail}`),
        ),
      }
    },
    ...given({ binaries, signal, onPhase }),
  })
  const { id } = await keyring.ensure('report')
  const note = await signNote(keyring, id, signerName(backupStore), `${JSON.stringify(report, null, 2)}\n`)
  const object = `drills/${backupStore.systemId}/${report.startedAt.replaceAll(/[-:.]/g, '')}.note`
  await store.put(object, Buffer.from(note), given({ signal }))
  await worker.transaction(actor, async (session) => {
    const { rows } = await session.query<{ id: string }>(
      `insert into akashi_lifecycle.drills (system_id, started_at, finished_at, ok, target, rpo_seconds, rto_seconds, phases, problems,
         object, note, kind) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) returning id`,
      [
        backupStore.systemId,
        report.startedAt,
        report.finishedAt,
        report.ok,
        report.target,
        report.rpoSeconds,
        report.rtoSeconds,
        JSON.stringify(report.phases),
        report.problems,
        object,
        note,
        kind,
      ],
    )
    if (!report.ok) {
      await alarm(session, rows[0]?.id ?? null, {
        kind,
        problems: report.problems,
        object,
      })
    }
  })
  return { ...report, object }
}

/** The database name of a URL. */
export function databaseOf(url: string): string {
  return decodeURIComponent(new URL(url).pathname.slice(1))
}

/** The signer name of a report; the key is the keyring's, of purpose `report`. */
export function signerName({ systemId }: Pick<BackupStore, 'systemId'>): string {
  return `akashi.local/${systemId}/drill`
}

async function alarm(
  session: Session,
  drillId: string | null,
  details: Readonly<Record<string, unknown>>,
): Promise<void> {
  await recordEvent(session, {
    event_type: 'recovery_drill_failed',
    resource_type: 'recovery_drill',
    resource_id: drillId,
    action_performed: 'drill',
    event_details: details,
  })
}

/** Newest first. @param database of a role that reads drills */
export async function listDrills(database: Database, actor: Actor, limit = 50): Promise<Drill[]> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<Drill>(
        `select id, kind, started_at as "startedAt", finished_at as "finishedAt", ok, target, rpo_seconds as "rpoSeconds",
                rto_seconds as "rtoSeconds", phases, problems, object, note
         from akashi_lifecycle.drills order by started_at desc limit $1`,
        [limit],
      ),
    { readOnly: true },
  )
  return rows
}

export interface DrillState {
  /** Seconds since a drill passed; if none ever did, since the job was created. */
  readonly passedSeconds: number
  readonly everPassed: boolean
  /** Whether the last drill passed; true when there was none yet. */
  readonly lastOk: boolean
  /** No drill has passed for longer than the setting allows. */
  readonly missed: boolean
}

/** @param database of the role worker or security_admin */
export async function drillState(
  database: Database,
  actor: Actor,
  kind: DrillKind = 'drill',
): Promise<DrillState> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<DrillState>(
        `select age.seconds as "passedSeconds",
                exists (select from akashi_lifecycle.drills where ok and ($1 = 'drill' or kind = $1)) as "everPassed",
                coalesce((select ok from akashi_lifecycle.drills order by started_at desc limit 1), true) as "lastOk",
                age.seconds > ${DAY_SECONDS} * (case $1
                  when 'drill' then akashi_lifecycle.setting('backup.drill_max_age_days')
                  else akashi_lifecycle.setting('backup.recovery_test_max_age_days') end)::float8 as missed
         from (select extract(epoch from now() - coalesce(
                 (select max(finished_at) from akashi_lifecycle.drills where ok and ($1 = 'drill' or kind = $1)),
                 (select created_at from akashi_lifecycle.jobs where task = 'backup.' || $1 order by created_at limit 1), now()))::float8 as seconds) age`,
        [kind],
      ),
    { readOnly: true },
  )
  const [state] = rows
  if (state === undefined) throw new Error('a select over one row returns one row')
  return state
}
