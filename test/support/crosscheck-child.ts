/** The cross-check in a process of its own, to be killed. Arguments: the URLs of the worker and of the login that replicates, the folder of the keyring. */
import { setTimeout as sleep } from 'node:timers/promises'
import { crosscheck } from '../../src/audit/index.ts'
import { openKeyring } from '../../src/keys/index.ts'
import { openDatabase } from '../../src/postgres/index.ts'
import { tester } from './tester.ts'

const PAUSE_MS = 20
const ignore = () => undefined

const [workerUrl = '', url = '', keys = ''] = process.argv.slice(2)
const keyring = await openKeyring(`file:${keys}`)
const worker = openDatabase({ url: workerUrl, role: 'worker', poolSize: 2 })
const source = { url, database: openDatabase({ url, role: 'backup', poolSize: 1 }) }
const log = { debug: ignore, info: ignore, warn: ignore, error: ignore }
const { signal } = new AbortController()
process.stdout.write('begins\n')
for (;;) {
  await crosscheck({
    source,
    worker,
    keyring,
    actor: tester,
    signal,
    log,
    checkState: async () => undefined,
  }).catch(ignore)
  await sleep(PAUSE_MS)
}
