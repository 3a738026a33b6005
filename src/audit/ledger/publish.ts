/**
 * Publishing puts a log's signed head where the database cannot take it back: into the object store, and
 * into `akashi_audit.ledger_checkpoints`. Each size is published at most once in an epoch.
 */
import { AkashiError } from '../../foundation/index.ts'
import type { ObjectStore } from '../../object-store/index.ts'
import type { Actor, Database } from '../../postgres/index.ts'
import { readEpochs } from './epoch/link.ts'
import { checkpointKey, epochKey, putNote } from './published.ts'
import { readHeads } from './store.ts'

export interface Published {
  readonly log: string
  readonly size: string
}

/**
 * Publishes every head that was not yet, and the links of its epochs. Fails with `integrity` when another
 * checkpoint of the same size is there already: the database and its published history have parted.
 */
export async function publishCheckpoints(
  database: Database,
  actor: Actor,
  store: ObjectStore,
): Promise<Published[]> {
  const { heads, epochs } = await database.transaction(actor, async (session) => ({
    heads: await readHeads(session),
    epochs: await readEpochs(session),
  }))
  for (const { log, epoch, origin, note } of epochs) {
    if (!(await putNote(store, epochKey(log, epoch, origin), note))) {
      throw new AkashiError('integrity', `another link was published for epoch ${epoch} of log ${log}`)
    }
  }
  const published: Published[] = []
  for (const { log, epoch, origin, size, root, note } of heads) {
    if (note === null) continue
    if (!(await putNote(store, checkpointKey(log, origin, size), note))) {
      throw new AkashiError(
        'integrity',
        `another checkpoint of size ${size} of log ${log} was published before`,
        { hint: 'run akashi verify: the database does not continue the published history' },
      )
    }
    const { rowCount } = await database.transaction(actor, (session) =>
      session.query(
        `insert into akashi_audit.ledger_checkpoints (log, epoch, size, root, note) values ($1, $2, $3, $4, $5)
         on conflict do nothing`,
        [log, epoch, size.toString(), root, note],
      ),
    )
    if (rowCount > 0) published.push({ log, size: size.toString() })
  }
  return published
}
