/** Reads the slot, compares transaction by transaction, and keeps how far it is. */
import { setTimeout as sleep } from 'node:timers/promises'
import { AkashiError, type Log } from '../../foundation/index.ts'
import type { Keyring } from '../../keys/index.ts'
import { type Actor, type Database, type Lsn, openReplication } from '../../postgres/index.ts'
import type { Committed } from './discrepancy.ts'
import { recordDiscrepancies } from './found.ts'
import { judge } from './judge.ts'
import { decodeMessage } from './pgoutput.ts'
import { beginGap, keepProgress, type Progress, recordCompared } from './progress.ts'
import { nameOf } from './protections.ts'
import { type Ended, Reader } from './reader.ts'
import { Relations } from './relations.ts'
import type { SignedState } from './signed-state.ts'
import { PUBLICATION } from './slot.ts'
import { keepTruncated, type PassedTables, type Suspect } from './traces.ts'
import type { Transaction } from './transaction.ts'

/** Milliseconds within which a compared position is kept when something that is protected changed. */
const KEEP_MS = 1_000
/** The same while a range that was compared waits to be sealed. */
const KEEP_UNSEALED_MS = 30_000
/** The same when nothing did: until as many bytes of other WAL wait on the server, or for as long. */
const KEEP_IDLE_BYTES = 16n * 1024n * 1024n
const KEEP_IDLE_MS = 60_000
/** Milliseconds between two rows of the trail that say what was compared. */
const SEAL_MS = 60_000
/** Milliseconds between two reports to the server of what was compared. */
const REPORT_MS = 200
/** Transactions whose logins are kept, the latest ones. */
const MAX_LOGINS = 10_000

export interface ComparisonParts {
  /** Of the role `worker`. */
  readonly worker: Database
  /** Signs what the database keeps of the progress. */
  readonly keyring: Keyring
  readonly actor: Actor
  readonly log: Log
}

const REPLACED = 'what is kept of its catalog was replaced by somebody else'

function suspect(name: string, what: string): Suspect {
  const [schema = '', table = '']: string[] = JSON.parse(name)
  return { schema, table, what }
}

function later(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}

function earlier(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}

export class Comparison {
  readonly #options: ComparisonParts
  readonly #reader: Reader
  readonly #slot: string
  readonly #progress: Pick<Progress, 'systemIdentifier' | 'timeline'>
  /** Compared, and kept as such in the database. */
  #kept: Lsn
  #keeping = false
  #compared: Lsn
  /** How far the server's log is known to reach. */
  #written: Lsn = 0n
  #keptAt = performance.now()
  #sealed: Lsn
  #sealedAt = performance.now()
  /** Of a commit, in microseconds since 1970. */
  #latestCommit: bigint
  /** As this process left them. */
  readonly #traces: Map<string, string>
  /** Tables of transactions that were too large to be compared. */
  readonly #unchecked = new Map<string, Suspect>()
  readonly #logins = new Map<number, string>()
  #since = { transactions: 0, changes: 0 }
  #unsealed = { transactions: 0, changes: 0 }

  constructor(options: ComparisonParts, progress: Progress) {
    const { worker, actor } = options
    this.#options = options
    this.#reader = new Reader(new Relations(worker, actor), progress.protections)
    this.#slot = progress.slot
    this.#progress = progress
    this.#kept = progress.compared
    this.#compared = progress.compared
    this.#sealed = progress.sealed
    this.#latestCommit = progress.latestCommit
    this.#traces = new Map(progress.traces)
  }

  async run(url: string, signal: AbortSignal): Promise<void> {
    const ending = new AbortController()
    const replication = await openReplication(url, {
      applicationName: 'akashi crosscheck',
      logical: true,
      signal: AbortSignal.any([signal, ending.signal]),
    })
    const failed = { error: undefined as unknown }
    const stream = replication.logicalStream({ slot: this.#slot, publication: PUBLICATION })
    let reported: Lsn = 0n
    const reporting = setInterval(() => {
      this.#keep()
        .then(() => {
          if (ending.signal.aborted || signal.aborted || reported === this.#compared) return
          reported = this.#compared
          stream.report(this.#compared, this.#kept)
        })
        .catch((error: unknown) => {
          failed.error ??= error
          ending.abort()
        })
    }, REPORT_MS)
    try {
      for await (const message of stream) {
        const reached = message.kind === 'wal' ? message.start : message.position
        if (reached > this.#written) this.#written = reached
        if (message.kind === 'wal') {
          const ended = await this.#reader.read(decodeMessage(message.data), message.data.length)
          if (ended !== undefined) await this.#compare(ended)
        } else if (!this.#reader.isOpen && message.position > this.#compared) {
          this.#compared = message.position
        }
      }
      throw new AkashiError('unavailable', 'the server ended the stream of the cross-check', {
        hint: 'it is tried again',
      })
    } catch (error) {
      throw failed.error ?? error
    } finally {
      clearInterval(reporting)
      await replication.close()
    }
  }

  get written(): Lsn {
    return this.#written
  }

  /** The log does not tell whose transactions it has; of one that takes a while it is known from when it ran. */
  running(logins: Readonly<Record<string, string>>): void {
    for (const [xid, login] of Object.entries(logins)) this.#logins.set(Number(xid), login)
    for (const xid of this.#logins.keys()) {
      if (this.#logins.size <= MAX_LOGINS) break
      this.#logins.delete(xid)
    }
  }

  get hasUnchecked(): boolean {
    return this.#unchecked.size > 0
  }

  /** Tables whose rows are to be compared: that look suspect, or whose traces somebody else replaced. */
  suspects({ suspects, kept }: PassedTables): Suspect[] {
    const altered: Suspect[] = []
    const protectedNow = new Set(this.#reader.protections.map(({ schema, table }) => nameOf(schema, table)))
    for (const [name, digest] of kept) {
      const own = this.#traces.get(name)
      // A table that was protected since.
      if (own === undefined) this.#traces.set(name, digest)
      else if (own !== digest) altered.push(suspect(name, REPLACED))
    }
    for (const name of this.#traces.keys()) {
      if (kept.has(name)) continue
      if (protectedNow.has(name)) altered.push(suspect(name, REPLACED))
      else this.#traces.delete(name)
    }
    const found = [...suspects, ...altered, ...this.#unchecked.values()]
    return [...new Map(found.map((each) => [nameOf(each.schema, each.table), each])).values()]
  }

  kept(digests: ReadonlyMap<string, string>): void {
    for (const [name, digest] of digests) this.#traces.set(name, digest)
  }

  checked({ schema, table }: Suspect): void {
    this.#unchecked.delete(nameOf(schema, table))
  }

  /** Resolves when everything before the position is compared. */
  async passed(position: Lsn, signal: AbortSignal): Promise<void> {
    while (this.#compared < position && !signal.aborted) {
      await sleep(REPORT_MS, undefined, { signal }).catch(() => undefined)
    }
    signal.throwIfAborted()
  }

  async #compare({ transaction, end, tooLarge }: Ended): Promise<void> {
    // Comparing takes rows of the trail out.
    const { committed, latest, filesOfTruncated } = transaction
    const before = this.#latestCommit
    this.#latestCommit = later(before, earlier(latest, BigInt(Date.now()) * 1_000n))
    if (tooLarge !== null) await this.#leaveOut(committed, end, tooLarge)
    else if (!transaction.isEmpty) {
      await this.#judge(transaction, later(before, committed.committedAt), filesOfTruncated)
      if (transaction.changes.length > 0 || transaction.truncated.length > 0) {
        for (const count of [this.#since, this.#unsealed]) {
          count.transactions += 1
          count.changes += transaction.changes.length + transaction.truncated.length
        }
      }
    }
    this.#compared = end
  }

  /** The rows of its tables are compared instead. */
  async #leaveOut(committed: Committed, end: Lsn, tables: readonly string[]): Promise<void> {
    const { worker, actor } = this.#options
    for (const name of tables) {
      const what = `transaction ${committed.xid} changed more of it than is compared`
      this.#unchecked.set(name, suspect(name, what))
    }
    await worker.transaction(actor, (session) =>
      beginGap(session, {
        cause: 'too_large',
        detail: `transaction ${committed.xid} changed too much to be kept: ${tables.join(', ')}`,
        from: committed.commit,
        to: end,
      }),
    )
  }

  async #judge(
    transaction: Transaction,
    latest: bigint,
    filesOfTruncated: ReadonlyMap<number, number>,
  ): Promise<void> {
    const { worker, actor, log } = this.#options
    const { xid } = transaction.committed
    const found = await judge(worker, actor, transaction, latest)
    if (found.length > 0) {
      const login = this.#logins.get(xid)
      const recorded = await recordDiscrepancies(
        worker,
        actor,
        login === undefined ? found : found.map((each) => ({ login, ...each })),
      )
      if (recorded > 0)
        log.error(
          { xid, found: recorded, first: found[0]?.detail },
          'the trail and the write-ahead log disagree',
        )
    }
    if (filesOfTruncated.size === 0 || found.some(({ operation }) => operation === 'TRUNCATE')) return
    const kept = await worker.transaction(actor, (session) => keepTruncated(session, filesOfTruncated))
    for (const { name, before, digest } of kept) {
      if (this.#traces.get(name) === before) this.#traces.set(name, digest)
    }
  }

  get #keepAfterMs(): number {
    if (this.#since.transactions > 0) return KEEP_MS
    // Keeping writes as well: while nothing else does, that must not make the next one due.
    return this.#unsealed.transactions > 0 || this.#compared - this.#kept >= KEEP_IDLE_BYTES
      ? KEEP_UNSEALED_MS
      : KEEP_IDLE_MS
  }

  /** Keeps the position when it is time, and only then may the server forget what was before. */
  async #keep(): Promise<void> {
    const now = performance.now()
    if (this.#keeping || this.#compared === this.#kept || now - this.#keptAt < this.#keepAfterMs) return
    this.#keeping = true
    try {
      const { worker, actor, keyring } = this.#options
      const to = this.#compared
      const since = this.#since
      this.#since = { transactions: 0, changes: 0 }
      const sealed =
        this.#unsealed.transactions > 0 && now - this.#sealedAt >= SEAL_MS ? this.#unsealed : null
      if (sealed !== null) this.#unsealed = { transactions: 0, changes: 0 }
      const state: SignedState = {
        slot: this.#slot,
        systemIdentifier: this.#progress.systemIdentifier,
        timeline: this.#progress.timeline,
        compared: to,
        sealed: sealed === null ? this.#sealed : to,
        latestCommit: this.#latestCommit,
        protections: this.#reader.protections,
        traces: new Map(this.#traces),
      }
      await worker.transaction(actor, async (session) => {
        await keepProgress(session, keyring, state, since)
        if (sealed !== null) await recordCompared(session, { from: this.#sealed, to, ...sealed })
      })
      this.#kept = to
      this.#keptAt = now
      if (sealed === null) return
      this.#sealed = to
      this.#sealedAt = now
    } finally {
      this.#keeping = false
    }
  }
}
