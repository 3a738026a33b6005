/** Exports every closed partition in a separate process, as the command does: `archive-child.ts URL STORE`. Prints seconds, its CPU seconds and peak bytes. */

import { runArchive } from '../src/lifecycle/index.ts'
import { openObjectStore } from '../src/object-store/index.ts'
import { openDatabase } from '../src/postgres/index.ts'
import { bencher } from './harness.ts'

const MEMORY_SAMPLE_MS = 25

const [url = '', store = ''] = process.argv.slice(2)
const worker = openDatabase({ url, role: 'worker' })
const objects = await openObjectStore(store)
let peakBytes = process.memoryUsage.rss()
const sampling = setInterval(() => {
  peakBytes = Math.max(peakBytes, process.memoryUsage.rss())
}, MEMORY_SAMPLE_MS)
const begun = performance.now()
const started = process.cpuUsage()
const rows = await runArchive(worker, bencher, objects, {
  table: { schema: 'akashi_security', table: 'security_events' },
  only: 'export',
})
const seconds = (performance.now() - begun) / 1000
const { user, system } = process.cpuUsage(started)
clearInterval(sampling)
await worker.close()
const failed = rows.find(({ action }) => action !== 'exported')
if (failed !== undefined) throw new Error(failed.message)
process.stdout.write(JSON.stringify({ seconds, cpuSeconds: (user + system) / 1_000_000, peakBytes }))
