/**
 * The rolling scrub: each run hashes the slices and the archived object that were hashed longest ago, and checks that
 * the next rows have entries. The work of one run is bounded.
 */
import type { Actor, Database, Session } from '../../../postgres/index.ts'
import { type LogDefinition, logs } from '../logs.ts'
import { tileReader } from '../store.ts'
import { TiledTree } from '../tiles.ts'
import { noFindings, verifyObject } from './archived-rows.ts'
import { verifyHead } from './head.ts'
import { reportOf, verifyCatalog } from './index.ts'
import {
  forgetObjects,
  markUnits,
  objectUnit,
  oldestSlices,
  readMarks,
  SLICE_ENTRIES,
  sliceUnit,
} from './marks.ts'
import { openLog } from './open-log.ts'
import { type VerifyOptions, verifyTransaction, withCachedKeys } from './options.ts'
import { type LogReport, ProblemList, type VerifyReport } from './problems.ts'
import { retiredBy } from './retired-rows.ts'
import { addedRows, type Cursor, moveCursor } from './scrub-rows.ts'
import { hashRowsLocally } from './second-opinion.ts'
import { type Missing, verifyMissing, verifySlice } from './slice.ts'
import { checkTiles } from './tree.ts'

/** Slices of 65,536 entries that one run hashes in each log. */
export const SCRUB_SLICES = 8

export interface ScrubOptions extends VerifyOptions {
  /** Default {@link SCRUB_SLICES}. */
  readonly slices?: number
}

/** One run over every log. Stores what was hashed, also when there are problems. */
export async function scrub(database: Database, actor: Actor, given: ScrubOptions): Promise<VerifyReport> {
  const options = withCachedKeys(given)
  const reports: LogReport[] = []
  for (const log of logs) {
    const at = new Date()
    const { report, units, objects, cursor } = await database.transaction(
      actor,
      (session) => scrubLog(session, log, options),
      verifyTransaction(options),
    )
    await database.transaction(actor, async (session) => {
      await markUnits(session, log.log, units, at)
      if (objects !== null) await forgetObjects(session, log.log, objects)
      if (cursor !== null) await moveCursor(session, log.log, cursor)
    })
    reports.push(report)
    options.onLog?.(report)
  }
  return { mode: 'scrub', ok: reports.every(({ problems }) => problems.length === 0), logs: reports }
}

interface Scrubbed {
  readonly report: LogReport
  /** Slices and objects that were hashed. */
  readonly units: readonly string[]
  /** Names of all archived objects; null without an archive. */
  readonly objects: readonly string[] | null
  readonly cursor: Cursor | null
}

async function scrubLog(session: Session, log: LogDefinition, options: ScrubOptions): Promise<Scrubbed> {
  const { archived, signal, slices: limit = SCRUB_SLICES } = options
  const problems = new ProblemList()
  if (log === logs[0] && options.catalog !== false) await verifyCatalog(session, problems)
  const verification = await openLog(session, log, options, problems)
  const { head } = verification
  await verifyHead(verification)
  const tree = new TiledTree(head.size, tileReader(session, log.log))
  const units: string[] = []
  const missing: Missing[] = []
  let checked = 0
  const objects = (await archived?.objects(log.log, signal)) ?? null
  if (await checkTiles(head, tree.node, problems)) {
    for (const slice of await oldestSlices(session, head, limit)) {
      signal?.throwIfAborted()
      const found = await verifySlice(verification, tree, slice)
      checked += found.checked
      for (const entry of found.missing) missing.push(entry)
      units.push(sliceUnit(slice))
    }
  }
  const retired = await verifyMissing(verification, missing, objects ?? [])
  const findings = noFindings()
  const oldest = await oldestObject(session, log.log, objects ?? [])
  if (archived !== undefined && oldest !== undefined) {
    await verifyObject(verification, archived, oldest, findings)
    if (findings.unread.length === 0) units.push(objectUnit(oldest.name))
  }
  await hashRowsLocally(verification, 0n, 'sample')
  const cursor = await addedRows(verification, Number(SLICE_ENTRIES) * limit)
  return {
    report: reportOf(head, 0n, problems, {
      checked: checked + findings.checked,
      retired,
      retiredBy: await retiredBy(session, log.log),
      unread: findings.unread,
    }),
    units,
    objects: objects?.map(({ name }) => name) ?? null,
    cursor: head.size === 0n ? null : cursor,
  }
}

async function oldestObject<T extends { readonly name: string }>(
  session: Session,
  log: string,
  objects: readonly T[],
): Promise<T | undefined> {
  const marks = await readMarks(
    session,
    log,
    objects.map(({ name }) => objectUnit(name)),
  )
  const at = (object: T) => marks.get(objectUnit(object.name)) ?? ''
  return objects.reduce<T | undefined>(
    (oldest, object) => (oldest === undefined || at(object) < at(oldest) ? object : oldest),
    undefined,
  )
}
