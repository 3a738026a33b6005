/**
 * Publishing puts a log's signed head where the database cannot take it back: into the object store, and
 * into `akashi_audit.ledger_checkpoints`. Each size is published at most once in an epoch.
 */
import { AkashiError } from '../../foundation/index.ts'
import type { ObjectStore } from '../../object-store/index.ts'
import type { Actor, Database, Session } from '../../postgres/index.ts'
import { type Epoch, readEpochs } from './epoch/link.ts'
import { checkpointKey, epochKey, putNote } from './published.ts'
import { commitDurably, type Head, readHeads } from './store.ts'

export interface Published {
  readonly log: string
  readonly size: string
}

/**
 * Publishes every head that was not yet, and the links of its epochs. A log that cannot be published does not
 * affect the others: the first error is thrown at the end, `integrity` if a different checkpoint of the same
 * size already exists, which shows that the database does not continue its published history.
 *
 * @param except logs that need a new epoch first
 */
export async function publishCheckpoints(
  database: Database,
  actor: Actor,
  store: ObjectStore,
  except: ReadonlySet<string> = new Set(),
): Promise<Published[]> {
  const { heads, epochs, kept } = await database.transaction(actor, async (session) => ({
    heads: await readHeads(session),
    epochs: await readEpochs(session),
    kept: await logsWithCheckpoint(session),
  }))
  const published: Published[] = []
  const errors: unknown[] = []
  for (const head of heads.filter(({ log }) => !except.has(log))) {
    try {
      if (await publishHead(database, actor, store, head, epochs, kept.has(head.log)))
        published.push({ log: head.log, size: head.size.toString() })
    } catch (error) {
      errors.push(error)
    }
  }
  if (errors.length > 0) throw errors[0]
  return published
}

/** Logs whose current head is among the published checkpoints. */
async function logsWithCheckpoint(session: Session): Promise<ReadonlySet<string>> {
  const { rows } = await session.query<{ log: string }>(
    `select log from akashi_audit.ledger_heads h
     where exists (select from akashi_audit.ledger_checkpoints c where (c.log, c.epoch, c.size) = (h.log, h.epoch, h.size) and c.note = h.note)`,
  )
  return new Set(rows.map(({ log }) => log))
}

/** @returns whether it was not published before */
async function publishHead(
  database: Database,
  actor: Actor,
  store: ObjectStore,
  { log, epoch, origin, size, root, note }: Head,
  epochs: readonly Epoch[],
  isKept: boolean,
): Promise<boolean> {
  for (const link of epochs.filter((each) => each.log === log)) {
    if (!(await putNote(store, epochKey(log, link.epoch, link.origin), link.note)))
      throw new AkashiError(
        'integrity',
        `a different link was already published for epoch ${link.epoch} of log ${log}`,
      )
  }
  if (note === null) return false
  if (!(await putNote(store, checkpointKey(log, origin, size), note))) {
    throw new AkashiError(
      'integrity',
      `a different checkpoint of size ${size} of log ${log} was already published`,
      { hint: 'run akashi verify: the database does not continue the published history' },
    )
  }
  if (isKept) return false
  const { rowCount } = await database.transaction(actor, async (session) => {
    await commitDurably(session)
    return await session.query(
      `insert into akashi_audit.ledger_checkpoints (log, epoch, size, root, note) values ($1, $2, $3, $4, $5)
       on conflict do nothing`,
      [log, epoch, size.toString(), root, note],
    )
  })
  return rowCount > 0
}
