/** Runs over the copies of the archive: one export and destination after the other; one's failure stops no other. */
import { AkashiError, counted } from '../../foundation/index.ts'
import type { ObjectStore } from '../../object-store/index.ts'
import type { Actor, Database } from '../../postgres/index.ts'
import { type ArchiveContext, underLock } from './context.ts'
import { type PlannedCopy, readPlannedCopies, recordCopyFailure } from './copies.ts'
import { objectsOf } from './manifest.ts'
import { listCopyObjects } from './object-keys.ts'
import { type ArchiveRow, type PlanOptions, partOf, rowOf } from './plan.ts'
import { copyExport } from './steps/copy.ts'

/** Makes every pending copy. */
export async function* makeCopies(context: ArchiveContext, options: PlanOptions): AsyncGenerator<ArchiveRow> {
  const { session, actor, signal } = context
  const read = async () =>
    await session.transaction(actor, (inner) => readPlannedCopies(inner, options), { readOnly: true })
  const keyOf = (copy: PlannedCopy) => `${copy.export} ${copy.destination}`
  const groups = Map.groupBy(
    (await read()).filter(({ step }) => step === 'copy'),
    keyOf,
  )
  for (const copies of groups.values()) {
    signal?.throwIfAborted()
    const [first] = copies
    if (first === undefined) continue
    const row = await underLock(context, first, () => copyOne(context, first, copies))
    yield row ?? rowOf(first, 'busy', 'another run works on it')
  }
}

async function copyOne(
  context: ArchiveContext,
  first: PlannedCopy,
  copies: readonly PlannedCopy[],
): Promise<ArchiveRow> {
  const { export: id, exportManifest: manifest, exportSha256: manifestSha256, destination } = first
  const object = { object: manifest }
  try {
    const done = await copyExport(context, { export: id, manifest, manifestSha256, copies })
    const what = copies.length === 1 ? partOf(first) : counted(copies.length, 'part')
    return rowOf(first, 'copied', `Copied ${what} to ${destination} (${counted(done.rows, 'row')})`, {
      rows: done.rows,
      ...object,
    })
  } catch (error) {
    const ended = context.signal?.aborted === true || context.session.lost.aborted
    if (ended || !(error instanceof AkashiError)) throw error
    return rowOf(first, 'failed', `Error: copy to ${destination}: ${error.message}`, object)
  }
}

/** Deletes every copy past its retention, and the remains of interrupted ones. */
export async function* retireCopies(
  database: Database,
  actor: Actor,
  store: ObjectStore,
  { table, signal }: Pick<PlanOptions, 'table' | 'signal'>,
): AsyncGenerator<ArchiveRow> {
  const planned = await database.transaction(
    actor,
    (session) => readPlannedCopies(session, table === undefined ? {} : { table }),
    { readOnly: true, ...(signal === undefined ? {} : { signal }) },
  )
  for (const copy of planned) {
    signal?.throwIfAborted()
    const what = `${partOf(copy)} at ${copy.destination}`
    if (copy.step === 'held') yield rowOf(copy, 'held', `Kept: legal hold (copy of ${what})`)
    if (copy.step !== 'delete' || copy.copy === null || copy.manifest === null) continue
    try {
      const deleted = await deleteCopy(database, actor, store, { id: copy.copy, manifest: copy.manifest })
      if (deleted) yield rowOf(copy, 'retired', `Deleted the copy of ${what} (${counted(copy.rows, 'row')})`)
    } catch (error) {
      if (!(error instanceof AkashiError) || signal?.aborted === true) throw error
      await database.transaction(actor, (session) =>
        recordCopyFailure(session, [copy.copy ?? ''], error.message),
      )
      yield rowOf(copy, 'failed', `Error: copy of ${what}: ${error.message}`)
    }
  }
}

/** The manifest goes last, so that a run that is killed leaves a copy that is known to be incomplete. */
async function deleteCopy(
  database: Database,
  actor: Actor,
  store: ObjectStore,
  { id, manifest }: { readonly id: string; readonly manifest: string },
): Promise<boolean> {
  const mayDelete = async () =>
    await database.transaction(actor, async (session) => {
      const { rows } = await session.query<{ begun: boolean }>(
        'select akashi_lifecycle.begin_deleting_copy($1) as begun',
        [id],
      )
      return rows[0]?.begun === true
    })
  if (!(await mayDelete())) return false
  const objects = await objectsOf(store, manifest, await listCopyObjects(store, manifest))
  for (const key of [...objects, manifest]) {
    // A hold that begins meanwhile ends it here.
    if (!(await mayDelete())) return false
    await store.delete(key)
  }
  await database.transaction(actor, (session) =>
    session.query('select akashi_lifecycle.finish_deleting_copy($1)', [id]),
  )
  return true
}
