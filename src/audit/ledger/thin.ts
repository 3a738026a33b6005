/**
 * Published checkpoints are thinned by age: akashi_audit.is_thinned_out() has the rule. The last one of an hour or a day
 * covers all entries of those before it, so that nothing can be cut off or rewritten unnoticed where they are gone. Only
 * what this database continues is removed: what contradicts it is evidence.
 */
import { AkashiError } from '../../foundation/index.ts'
import { parseNote } from '../../keys/index.ts'
import type { ObjectStore } from '../../object-store/index.ts'
import type { Actor, Database, Session } from '../../postgres/index.ts'
import { parseCheckpoint } from './checkpoint.ts'
import { boundOf, type Epoch, readEpochs } from './epoch/link.ts'
import { treeRoot } from './merkle.ts'
import { checkpointKey, originOn, readNote } from './published.ts'
import { type Head, readHeads, tileReader } from './store.ts'
import { TiledTree } from './tiles.ts'

/** Checkpoints of one epoch that one run removes at most: those of two weeks. What is left is the next run's. */
const MAX_CHECKPOINTS = 20_000
/** Checkpoints that are compared, and then removed, together. */
const BATCH = 100
/** Objects that are read or deleted at the same time. */
const AT_ONCE = 16
/**
 * Days for which an object is kept, whatever the database says of its age: those of akashi_audit.is_thinned_out(). A store that
 * was copied has new objects.
 */
const KEPT_DAYS = 40
const DAY_MS = 86_400_000

export interface Thinned {
  readonly log: string
  readonly epoch: number
  readonly removed: number
}

interface Candidate {
  readonly size: bigint
  /** The next one that is kept. */
  readonly keeper: bigint
}

/** Whether a row of `akashi_audit.ledger_checkpoints` may go: SQL, in a query of all later rows of its log and epoch. */
export function isThinnedOut(alias: string): string {
  return `akashi_audit.is_thinned_out(${alias}.published_at,
    lead(${alias}.published_at) over (partition by ${alias}.log, ${alias}.epoch order by ${alias}.size))`
}

/** @throws integrity when a published checkpoint is not what this database has: then none of its hour or day is removed */
export async function thinCheckpoints(
  database: Database,
  actor: Actor,
  store: ObjectStore,
  signal?: AbortSignal,
): Promise<readonly Thinned[]> {
  const { heads, epochs } = await database.transaction(
    actor,
    async (session) => ({ heads: await readHeads(session), epochs: await readEpochs(session) }),
    { readOnly: true },
  )
  const done: Thinned[] = []
  for (const head of heads) {
    const later = epochs.filter(({ log }) => log === head.log)
    const origins = [
      { epoch: 1, origin: originOn(head.origin, null) },
      ...later.map(({ epoch, origin }) => ({ epoch, origin })),
    ]
    for (const { epoch, origin } of origins) {
      const branch = new Branch({ database, actor, store, head, epoch, origin, epochs: later })
      const removed = await branch.thin(signal)
      if (removed > 0) done.push({ log: head.log, epoch, removed })
    }
  }
  return done
}

interface Parts {
  readonly database: Database
  readonly actor: Actor
  readonly store: ObjectStore
  readonly head: Head
  readonly epoch: number
  readonly origin: string
  readonly epochs: readonly Epoch[]
}

/** What one epoch of a log published. */
class Branch {
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  async thin(signal: AbortSignal | undefined): Promise<number> {
    const { database, actor, head, epoch } = this.#parts
    const candidates = await database.transaction(actor, (session) => this.#candidates(session), {
      readOnly: true,
    })
    let removed = 0
    for (let at = 0; at < candidates.length; at += BATCH) {
      signal?.throwIfAborted()
      const batch = await this.#old(candidates.slice(at, at + BATCH))
      await this.#compare(batch)
      await inTurn(batch, ({ size }) => this.#parts.store.delete(this.#key(size)))
      // Afterwards: a checkpoint whose object is gone may be thinned out for as long as its row is there.
      const { rowCount } = await database.transaction(actor, (session) =>
        session.query(
          'delete from akashi_audit.ledger_checkpoints where log = $1 and epoch = $2 and size = any ($3::bigint[])',
          [head.log, epoch, batch.map(({ size }) => size.toString())],
        ),
      )
      removed += rowCount
    }
    return removed
  }

  /** In ascending size, from those that the present tree has. */
  async #candidates(session: Session): Promise<Candidate[]> {
    const { head, epoch, origin, epochs } = this.#parts
    const bound = origin === head.origin ? null : boundOf(epochs, origin)
    const { rows } = await session.query<{ size: string; keeper: string }>(
      `select size::text, keeper::text
       from (select size, thinned, min(size) filter (where not thinned) over (order by size rows between current row and unbounded following) as keeper
             from (select c.size, ${isThinnedOut('c')} as thinned
                   from akashi_audit.ledger_checkpoints c where c.log = $1 and c.epoch = $2) judged) placed
       where thinned and keeper <= $3::bigint order by placed.size limit $4`,
      [head.log, epoch, (bound ?? head.size).toString(), MAX_CHECKPOINTS],
    )
    return rows.map(({ size, keeper }) => ({ size: BigInt(size), keeper: BigInt(keeper) }))
  }

  /** Without those whose object is younger than its row says. */
  async #old(batch: readonly Candidate[]): Promise<Candidate[]> {
    const before = Date.now() - KEPT_DAYS * DAY_MS
    const old = await inTurn(batch, async ({ size }) => {
      const object = await this.#parts.store.head(this.#key(size))
      return object === null || object.lastModified.getTime() < before
    })
    return batch.filter((_, place) => old[place])
  }

  /** Each must be a checkpoint of the present tree, and so must what stands for it. */
  async #compare(batch: readonly Candidate[]): Promise<void> {
    const { database, actor, store, head } = this.#parts
    const keepers = new Set(batch.map(({ keeper }) => keeper))
    const sizes = [...new Set([...batch.map(({ size }) => size), ...keepers])]
    const notes = await inTurn(sizes, (size) => readNote(store, this.#key(size)))
    const roots = await database.transaction(
      actor,
      async (session) => {
        const { node } = new TiledTree(head.size, tileReader(session, head.log))
        const found: Buffer[] = []
        for (const size of sizes) found.push(await treeRoot(size, node))
        return found
      },
      { readOnly: true },
    )
    for (const [place, size] of sizes.entries()) {
      const note = notes[place]
      // A run that was stopped deleted it before.
      if (note === undefined && !keepers.has(size)) continue
      const wrong =
        note === undefined
          ? 'it is missing from the store'
          : isCheckpoint(note, this.#parts.origin, size, roots[place])
            ? null
            : 'it is not what this database has'
      if (wrong !== null) {
        throw new AkashiError(
          'integrity',
          `the published checkpoint of size ${size} of log ${head.log}: ${wrong}`,
          {
            hint: 'run akashi verify; nothing that it stands for was removed',
          },
        )
      }
    }
  }

  #key(size: bigint): string {
    return checkpointKey(this.#parts.head.log, this.#parts.origin, size)
  }
}

function isCheckpoint(note: string, origin: string, size: bigint, root: Buffer | undefined): boolean {
  const found = parseCheckpoint(parseNote(note).text)
  return found.origin === origin && found.size === size && root !== undefined && found.root.equals(root)
}

async function inTurn<T, R>(values: readonly T[], work: (value: T) => Promise<R>): Promise<R[]> {
  const done: R[] = []
  for (let at = 0; at < values.length; at += AT_ONCE) {
    done.push(...(await Promise.all(values.slice(at, at + AT_ONCE).map(work))))
  }
  return done
}
