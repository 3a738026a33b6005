/** A worker in a process of its own, for tests that kill it: its one task never ends. Takes the URL as its argument. */
import { startWorker } from '../../src/operations/index.ts'
import { openDatabase } from '../../src/postgres/index.ts'
import { keepingLog } from './keeping-log.ts'

const [url = ''] = process.argv.slice(2)
await startWorker({
  worker: openDatabase({ url, role: 'worker' }),
  directUrl: url,
  tasks: { 'test.forever': () => new Promise(() => setInterval(() => undefined, 1_000)) },
  log: keepingLog(),
  signal: new AbortController().signal,
})
process.stdout.write('ready\n')
