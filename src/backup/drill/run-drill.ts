import { AkashiError, given } from '../../foundation/index.ts'
import type { Database } from '../../postgres/index.ts'
import { readCatalog } from '../catalog/catalog.ts'
import { verifyBackups } from '../catalog/verify.ts'
import {
  currentTimeline,
  type RestorableRange,
  restorableIntervals,
  restorableRanges,
} from '../catalog/window.ts'
import { checkStructure, type StructureCheck } from '../restore/check-structure.ts'
import { type Scratch, withScratch } from '../restore/scratch.ts'
import { timeText } from '../restore/target.ts'
import type { BackupStore } from '../store/backup-store.ts'
import { chooseMoment, type Moment } from './choose-moment.ts'
import { type Content, differences, readContent, SEQUENCE_VALUES_LOGGED } from './content.ts'

export interface DrillOptions {
  /** Folder for the scratch servers. */
  readonly place: string
  /** Folder with the programs of the backups' major version; default where packages put them. */
  readonly binaries?: string
  /** Akashi's database in the cluster. */
  readonly databaseName: string
  /** Moment to restore; default random. */
  readonly moment?: 'random' | 'latest'
  /** The drill fails above these limits. */
  readonly limits: { readonly rpoSeconds: number; readonly rtoSeconds: number }
  /** Verifies the ledger of a restored database; returns the number of checked rows and the problems. */
  readonly verifyLedger: (
    database: Database,
    signal?: AbortSignal,
  ) => Promise<{ readonly checked: number; readonly problems: readonly string[] }>
  readonly signal?: AbortSignal
  readonly onPhase?: (phase: string) => void
}

export interface DrillReport {
  readonly version: 1
  readonly ok: boolean
  readonly cluster: string
  readonly startedAt: string
  readonly finishedAt: string
  /** The restorable window when the drill began; null if empty. */
  readonly window: { readonly from: string; readonly to: string } | null
  readonly target: string | null
  /** Time of the last restored transaction; null if there was none since the backup. */
  readonly reached: string | null
  /** Age of the latest restorable moment. */
  readonly rpoSeconds: number | null
  /** Duration of fetching and recovery until the server accepted queries. */
  readonly rtoSeconds: number | null
  readonly limits: DrillOptions['limits']
  readonly phases: readonly { readonly phase: string; readonly seconds: number }[]
  /** Backups used, and those of the comparison; null if there was no other way. */
  readonly chain: readonly string[]
  readonly comparedWith: readonly string[] | null
  readonly content: { readonly relations: number; readonly rows: number; readonly sha256: string } | null
  readonly structure: Omit<StructureCheck, 'problems'> | null
  readonly ledgerRows: number | null
  readonly problems: readonly string[]
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/**
 * Verifies every object of the store, restores a random moment on a scratch server, checks it for damage, and
 * restores the same moment a second way to compare. Problems are part of the report; throws only if the drill
 * cannot be carried out (store unavailable). Writes nothing to the store.
 */
export async function runDrill(backupStore: BackupStore, options: DrillOptions): Promise<DrillReport> {
  const { limits, signal, onPhase = () => undefined } = options
  const cancel = given({ signal })
  const startedAt = new Date()
  const problems: string[] = []
  const phases: { phase: string; seconds: number }[] = []
  const timed = async <T>(phase: string, work: () => Promise<T>): Promise<T> => {
    onPhase(phase)
    const started = performance.now()
    try {
      return await work()
    } finally {
      phases.push({ phase, seconds: seconds(performance.now() - started) })
    }
  }
  const found: Mutable<Omit<DrillReport, 'ok' | 'finishedAt'>> = {
    version: 1,
    cluster: backupStore.systemId,
    startedAt: startedAt.toISOString(),
    window: null,
    target: null,
    reached: null,
    rpoSeconds: null,
    rtoSeconds: null,
    limits,
    phases,
    chain: [],
    comparedWith: null,
    content: null,
    structure: null,
    ledgerRows: null,
    problems,
  }
  const ranges = await timed('catalog', async () => restorableRanges(await readCatalog(backupStore, signal)))
  const timeline = currentTimeline(ranges)
  const last = timeline === undefined ? undefined : restorableIntervals(ranges, timeline).at(-1)
  const moment = options.moment === 'latest' ? latestMoment(ranges, timeline, last) : chooseMoment(ranges)
  if (last === undefined || moment === undefined) {
    problems.push('there is no complete backup to restore from')
  } else {
    found.window = { from: new Date(last.fromMs).toISOString(), to: new Date(last.toMs).toISOString() }
    found.rpoSeconds = seconds(Math.max(0, startedAt.getTime() - last.toMs))
    found.target = timeText(BigInt(moment.ms) * 1000n)
    await attempt(problems, () => restoreAndCheck(backupStore, moment, found, timed, options))
  }
  await attempt(problems, async () => {
    const verified = await timed('store', () => verifyBackups(backupStore, cancel))
    problems.push(...verified.problems.map(({ object, detail }) => `${object}: ${detail}`))
    for (const { timeline: own, from, to, declared } of verified.gaps) {
      if (!declared) problems.push(`WAL of timeline ${own} is missing from ${from} to ${to}`)
    }
  })
  judge(found, problems)
  const unique = [...new Set(problems)]
  return { ...found, problems: unique, ok: unique.length === 0, finishedAt: new Date().toISOString() }
}

/** Comparable if it can be restored from a full backup as well as from an incremental. */
function latestMoment(
  ranges: readonly RestorableRange[],
  timeline: number | undefined,
  last: { readonly toMs: number } | undefined,
): Moment | undefined {
  if (last === undefined) return undefined
  const matching = ranges.filter(
    (one) => one.timeline === timeline && one.fromMs <= last.toMs && one.toMs >= last.toMs,
  )
  const kinds = new Set(matching.map(({ backup }) => backup.kind))
  return { ms: last.toMs, comparable: kinds.size === 2 && matching.at(-1)?.backup.kind === 'incremental' }
}

async function restoreAndCheck(
  backupStore: BackupStore,
  { ms, comparable }: Moment,
  found: Mutable<Omit<DrillReport, 'ok' | 'finishedAt'>>,
  timed: <T>(phase: string, work: () => Promise<T>) => Promise<T>,
  options: DrillOptions,
): Promise<void> {
  const { place, databaseName, binaries, signal, verifyLedger, onPhase = () => undefined } = options
  const problems = found.problems as string[]
  const request = {
    place,
    databaseName,
    target: { kind: 'time', us: BigInt(ms) * 1000n },
    ...given({ signal, binaries }),
  } as const
  onPhase('restore')
  const content = await withScratch(backupStore, request, async (scratch): Promise<Content> => {
    found.chain = scratch.chain
    found.reached = scratch.reachedTime
    measure(found, scratch)
    const structure = await timed('structure', () => checkStructure(scratch.database, signal))
    const { problems: damage, ...checked } = structure
    found.structure = checked
    problems.push(...damage)
    const ledger = await timed('ledger', () => verifyLedger(scratch.open('worker'), signal))
    found.ledgerRows = ledger.checked
    problems.push(...ledger.problems)
    return await timed('content', async () => readContent(await scratch.reader(), signal))
  })
  found.content = { relations: content.relations.size, rows: content.rows, sha256: content.hash }
  if (!comparable) return
  await timed('comparison', () =>
    withScratch(backupStore, { ...request, fullOnly: true }, async (other) => {
      found.comparedWith = other.chain
      const differing = differences(
        content,
        await readContent(await other.reader(), signal),
        SEQUENCE_VALUES_LOGGED,
      )
      problems.push(
        ...differing.map((name) => `${name} differs between the restore with incrementals and without`),
      )
    }),
  )
}

function measure(found: Mutable<Omit<DrillReport, 'ok' | 'finishedAt'>>, { milliseconds }: Scratch): void {
  const phases = found.phases as { phase: string; seconds: number }[]
  phases.push({ phase: 'fetch', seconds: seconds(milliseconds.fetch) })
  phases.push({ phase: 'recovery', seconds: seconds(milliseconds.recovery) })
  found.rtoSeconds = seconds(milliseconds.fetch + milliseconds.recovery)
}

function judge(
  { rpoSeconds, rtoSeconds, limits }: Pick<DrillReport, 'rpoSeconds' | 'rtoSeconds' | 'limits'>,
  problems: string[],
): void {
  const measured = [
    ['RPO', rpoSeconds, limits.rpoSeconds],
    ['RTO', rtoSeconds, limits.rtoSeconds],
  ] as const
  for (const [name, value, limit] of measured) {
    if (value !== null && value > limit) problems.push(`${name} is ${value} s, the limit is ${limit} s`)
  }
}

/** A failing restore is a result of the drill. */
async function attempt(problems: string[], work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof AkashiError) || ['cancelled', 'internal'].includes(error.code)) throw error
    const { object, key } = error.detail
    const name = [object, key].find((each) => typeof each === 'string')
    const known = name === undefined || error.message.includes(name)
    problems.push(known ? error.message : `${name}: ${error.message}`)
  }
}

function seconds(ms: number): number {
  return Math.round(ms) / 1000
}
