import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { logs, type Problem, seal, type VerifyReport, verifierKeys, verify } from '../../src/audit/index.ts'
import { type Keyring, openKeyring } from '../../src/keys/index.ts'
import type { Database } from '../../src/postgres/index.ts'

export interface TestLedger {
  /** Seals every log up to the frontier. */
  seal(): Promise<void>
  verify(options?: Partial<Parameters<typeof verify>[1]>): Promise<VerifyReport>
  /** Problems of all logs, as `kind id`. */
  problems(options?: Partial<Parameters<typeof verify>[1]>): Promise<Problem[]>
  readonly keyring: Keyring
}

/** Call it at the top of a test file: a keyring of its own, and the ledger's verbs over a worker's pool. */
export function testLedger(worker: Database): TestLedger {
  let folder = ''
  let keyring: Keyring | undefined
  const keys = (): Keyring => {
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
  const run: TestLedger['verify'] = (options = {}) =>
    verify(worker, { verifierKeys: verifierKeys(keys()), ...options })
  return {
    get keyring() {
      return keys()
    },
    seal: async () => {
      for (const log of logs) await seal(worker, keys(), log)
    },
    verify: run,
    problems: async (options) => (await run(options)).logs.flatMap((log) => log.problems),
  }
}
