/**
 * Publishing puts a log's signed head where the database cannot take it back: into the object store, and
 * into `audit.ledger_checkpoints`. Each size is published at most once.
 */
import { AkashiError } from '../../foundation/index.ts'
import type { ObjectStore } from '../../object-store/index.ts'
import { anonymous, type Database } from '../../postgres/index.ts'
import { readHeads } from './store.ts'

/** Largest note that is read back from the object store, in bytes. */
const MAX_NOTE_BYTES = 65_536

function folder(log: string): string {
  return `checkpoints/${log}/`
}

/** `checkpoints/audit_logs/00000000000000001234`: twenty digits, so that keys sort by size. */
export function checkpointKey(log: string, size: bigint): string {
  return `${folder(log)}${size.toString().padStart(20, '0')}`
}

export interface Published {
  readonly log: string
  readonly size: string
}

/**
 * Publishes every head that was not yet. Fails with `integrity` when another checkpoint of the same size
 * is there already: the database and its published history have parted.
 */
export async function publishCheckpoints(database: Database, store: ObjectStore): Promise<Published[]> {
  const heads = await database.transaction(anonymous, (session) => readHeads(session))
  const published: Published[] = []
  for (const head of heads) {
    const { log, epoch, size, root, note } = head
    if (note === null) continue
    const key = checkpointKey(log, size)
    const present = await readNote(store, key)
    if (present === undefined) {
      try {
        await store.put(key, Buffer.from(note), { ifAbsent: true })
      } catch (error) {
        // Another process published this size between our look and our put.
        if (!(error instanceof AkashiError && error.code === 'already_exists')) throw error
      }
    } else if (body(present) !== body(note)) {
      throw new AkashiError(
        'integrity',
        `another checkpoint of size ${size} of log ${log} was published before`,
        {
          hint: 'run akashi verify: the database does not continue the published history',
        },
      )
    }
    const { rowCount } = await database.transaction(anonymous, (session) =>
      session.query(
        `insert into audit.ledger_checkpoints (log, epoch, size, root, note) values ($1, $2, $3, $4, $5)
         on conflict do nothing`,
        [log, epoch, size.toString(), root, note],
      ),
    )
    if (rowCount > 0) published.push({ log, size: size.toString() })
  }
  return published
}

/** The text of a note without its signatures: the same checkpoint may be signed anew by a rotated key. */
function body(note: string): string {
  return note.slice(0, note.indexOf('\n\n'))
}

async function readNote(store: ObjectStore, key: string): Promise<string | undefined> {
  const head = await store.head(key)
  if (head === null) return undefined
  if (head.size > MAX_NOTE_BYTES) throw new AkashiError('integrity', `${key} is too large for a checkpoint`)
  const chunks: Buffer[] = []
  for await (const chunk of await store.get(key)) chunks.push(Buffer.from(chunk as Uint8Array))
  return Buffer.concat(chunks).toString('utf8')
}

/** Every published checkpoint of a log of at least `from` entries, in ascending size. */
export async function* publishedNotes(store: ObjectStore, log: string, from = 0n): AsyncIterable<string> {
  const after = from === 0n ? {} : { after: checkpointKey(log, from - 1n) }
  for await (const { key } of store.list(folder(log), after)) {
    const note = await readNote(store, key)
    if (note !== undefined) yield note
  }
}
