/** Detection that is killed at any moment (SIGKILL) leaves no position of the ledger that it has not looked at. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import {
  calendarOf,
  coverageOf,
  LiveDetector,
  listFindings,
  noResponses,
  OWN_RULES,
  readRuleFolders,
} from '../../src/detection/index.ts'
import { loadEvents, parseEvents } from '../../src/security/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'

const LONG = process.env['AKASHI_LONG'] === '1'
const KILLS = LONG ? 100 : 3
/** Milliseconds after its beginning within which a process is killed. */
const LIFETIME_MS = 400
/** Failures in each load: as many as make a finding. */
const FAILURES = 6
const TIMEOUT_MS = LONG ? 3_600_000 : 120_000
const CHILD = new URL('../support/detector-child.ts', import.meta.url).pathname

const database = testDatabase()
const worker = database.open('worker')
const admin = database.open('security_admin')
const ledger = testLedger(worker)
const START = Date.now() - 3_600_000

/** Six failures from an address of their own. */
async function attack(number: number): Promise<void> {
  const lines = Array.from({ length: FAILURES }, (_, n) => {
    const at = new Date(START + (number * FAILURES + n) * 1000).toISOString()
    return `${at} web1 sshd[${number}]: Failed password for u${number} from 198.51.100.${number} port ${n + 1} ssh2`
  })
  const bytes = (async function* () {
    yield Buffer.from(lines.join('\n'))
  })()
  const options = { format: 'sshd', timezone: 'UTC', year: null, asOf: new Date() } as const
  await loadEvents(worker, tester, parseEvents(bytes, options), { source: 'x', format: 'sshd' })
  await ledger.sealOnce()
}

test('nothing is left unseen', { timeout: TIMEOUT_MS }, async () => {
  let killedWithin = 0
  for (let kill = 0; kill < KILLS; kill += 1) {
    const child = spawn(process.execPath, [CHILD, database.url('worker')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const ended = once(child, 'exit')
    let said = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      said += chunk
    })
    await once(child.stdout, 'data')
    const rounds = said.split('round').length
    await attack(kill)
    await sleep(Math.random() * LIFETIME_MS)
    child.kill('SIGKILL')
    const [code, signal] = await ended
    expect([code, signal]).toEqual([null, 'SIGKILL'])
    if (said.split('round').length > rounds) killedWithin += 1
  }
  const { rules } = await readRuleFolders([OWN_RULES])
  const last = new LiveDetector(rules, calendarOf('Asia/Tokyo', []), noResponses, 0)
  await ledger.seal()
  await last.round(worker, tester)
  await last.flush(worker, tester)
  const [events] = await coverageOf(admin, tester, rules)
  expect(events?.gaps).toEqual([])
  expect(events?.sealed).toBeGreaterThanOrEqual(KILLS * FAILURES)
  const addresses = new Map<unknown, number>()
  for (let cursor: string | undefined; ; ) {
    const page = await listFindings(admin, tester, {
      limit: 100,
      ...(cursor === undefined ? {} : { cursor }),
    })
    for (const { rule, subject, count } of page.rows)
      if (rule === 'brute_force_by_address') addresses.set(subject['source_ip'], count)
    if (page.next === null) break
    cursor = page.next
  }
  // Each attack is found once and whole, whoever was killed meanwhile.
  expect(addresses.size).toBe(KILLS)
  expect([...new Set(addresses.values())]).toEqual([FAILURES])
  if (LONG) process.stderr.write(`${KILLS} killed, ${killedWithin} of them after at least a round more\n`)
})
