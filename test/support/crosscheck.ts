import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll } from 'vitest'
import {
  checkTable,
  crosscheck,
  crosscheckFindings,
  crosscheckStatus,
  type Discrepancy,
  dropCrosscheckSlot,
  listDiscrepancies,
  settleDiscrepancies,
} from '../../src/audit/index.ts'
import { type Keyring, openKeyring } from '../../src/keys/index.ts'
import type { Database } from '../../src/postgres/index.ts'
import type { TestDatabase } from './test-database.ts'
import { tester } from './tester.ts'

const ignore = () => undefined

const POLL_MS = 50
/** Milliseconds for everything that was committed to be compared. */
const CAUGHT_UP_MS = 120_000

export interface TestCrosscheck {
  readonly worker: Database
  /** Folder of its keyring. */
  readonly keys: string
  readonly keyring: Keyring
  start(): void
  /** Ends it as an ordered end does. */
  stop(): Promise<void>
  /** Waits until everything that is committed is compared, and answers what is not settled, the oldest first. */
  found(): Promise<Discrepancy[]>
  /** Settles everything, so that the next test begins without. */
  settle(): Promise<void>
}

/** The cross-check of a test's database, running from its first test to its last. */
export function testCrosscheck(database: TestDatabase): TestCrosscheck {
  const worker = database.open('worker')
  const officer = database.open('security_admin')
  const owner = database.open('owner')
  const source = { url: database.url('backup'), database: database.open('backup') }
  const log = { debug: ignore, info: ignore, warn: ignore, error: ignore }
  const folder = mkdtempSync(join(tmpdir(), 'akashi-crosscheck-'))
  const keys = join(folder, 'keys')
  let opened: Keyring | undefined
  const keyring = (): Keyring => {
    if (opened === undefined) throw new Error('the keyring opens in beforeAll')
    return opened
  }
  let stopping = new AbortController()
  let running: Promise<void> | undefined
  let failure: unknown
  const start = () => {
    stopping = new AbortController()
    running = (async () => {
      while (!stopping.signal.aborted) {
        await crosscheck({
          source,
          worker,
          keyring: keyring(),
          actor: tester,
          signal: stopping.signal,
          log,
          checkState: (table, signal) => checkTable(owner, worker, tester, table, { signal }),
        }).catch((error: unknown) => {
          failure = error
        })
        await sleep(POLL_MS)
      }
    })()
  }
  const stop = async () => {
    stopping.abort()
    await running
  }
  const begun = async () => {
    const until = performance.now() + CAUGHT_UP_MS
    while ((await crosscheckStatus(worker, tester)).state !== 'running') {
      if (performance.now() > until) throw new Error('the cross-check does not begin', { cause: failure })
      await sleep(POLL_MS)
    }
  }
  beforeAll(async () => {
    opened = await openKeyring(`file:${keys}`)
    start()
    await begun()
  })
  afterAll(async () => {
    await stop()
    await opened?.close()
    rmSync(folder, { recursive: true, force: true })
    for (;;) {
      try {
        return await dropCrosscheckSlot(source.database)
      } catch {
        // The server has not noticed yet that its reader went away.
        await sleep(POLL_MS)
      }
    }
  })
  return {
    worker,
    keys,
    get keyring() {
      return keyring()
    },
    start,
    stop,
    found: async () => {
      await begun()
      await crosscheckFindings(worker, tester, { waitMs: CAUGHT_UP_MS })
      return (await listDiscrepancies(worker, tester, { limit: 1_000 })).toReversed()
    },
    settle: async () => {
      await settleDiscrepancies(officer, tester, 'by the test')
    },
  }
}
