/**
 * A sealer in a process of its own, to be killed. Seals every log again and again, whether the server is there
 * or not, and prints a line when it begins. Arguments: the worker's URL, the keyring's URL.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { logs, seal } from '../../src/audit/index.ts'
import { openKeyring } from '../../src/keys/index.ts'
import { openDatabase } from '../../src/postgres/index.ts'
import { tester } from './tester.ts'

const PAUSE_MS = 5
const AWAY_PAUSE_MS = 100

const [url = '', keysUrl = ''] = process.argv.slice(2)
const keyring = await openKeyring(keysUrl)
const database = openDatabase({ url, role: 'worker', poolSize: 1 })
process.stdout.write('begins\n')
for (;;) {
  try {
    for (const log of logs) await seal(database, tester, keyring, log)
    await sleep(PAUSE_MS)
  } catch {
    await sleep(AWAY_PAUSE_MS)
  }
}
