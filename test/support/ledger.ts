import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll } from 'vitest'
import {
  countPending,
  logs,
  type Problem,
  readHead,
  seal,
  type VerifyReport,
  verifierKeys,
  verify,
} from '../../src/audit/index.ts'
import { type Keyring, openKeyring } from '../../src/keys/index.ts'
import type { Database } from '../../src/postgres/index.ts'
import { tester } from './tester.ts'

const SEAL_ATTEMPTS = 1_000
const SEAL_PAUSE_MS = 100

export interface TestLedger {
  /** Seals every log until no row waits: transactions of other test files hold the frontier too. */
  seal(): Promise<void>
  /** Seals what is below the frontier now. */
  sealOnce(): Promise<void>
  /** Leaves the catalog out unless it is asked for: tests of rows leave traces in it, and it has tests of its own. */
  verify(options?: Partial<Parameters<typeof verify>[2]>, where?: Database): Promise<VerifyReport>
  /** Problems of all logs. */
  problems(options?: Partial<Parameters<typeof verify>[2]>, where?: Database): Promise<Problem[]>
  readonly keyring: Keyring
}

/**
 * Call it at the top of a test file: a keyring of its own, or that of a server, and the ledger's verbs over a worker's
 * pool.
 */
export function testLedger(worker: Database, keyringOfServer?: () => Keyring): TestLedger {
  let folder = ''
  let keyring: Keyring | undefined
  const keys = (): Keyring => {
    if (keyringOfServer !== undefined) return keyringOfServer()
    if (keyring === undefined) throw new Error('the keyring opens in beforeAll')
    return keyring
  }
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'akashi-keys-'))
    keyring = await openKeyring(`file:${join(folder, 'keys')}`)
  })
  afterAll(async () => {
    await keyring?.close()
    await rm(folder, { recursive: true, force: true })
  })
  const sealOnce = async () => {
    for (const log of logs) await seal(worker, tester, keys(), log)
  }
  const pending = () =>
    worker.transaction(tester, async (session) => {
      let waiting = 0
      for (const log of logs) waiting += await countPending(session, log, await readHead(session, log.log))
      return waiting
    })
  const run: TestLedger['verify'] = (options = {}, where = worker) =>
    verify(where, tester, { verifierKeys: verifierKeys(keys()), catalog: false, ...options })
  return {
    get keyring() {
      return keys()
    },
    seal: async () => {
      for (let attempt = 0; ; attempt += 1) {
        await sealOnce()
        if ((await pending()) === 0) return
        if (attempt === SEAL_ATTEMPTS) throw new Error('something holds the frontier')
        await sleep(SEAL_PAUSE_MS)
      }
    },
    sealOnce,
    verify: run,
    problems: async (options, where) => (await run(options, where)).logs.flatMap((log) => log.problems),
  }
}
