/** Runs the archive as a process of its own and kills itself at a step: `archiver-child.ts URL STORE STEP NTH PART_ROWS`. */

import { runArchive } from '../../../src/lifecycle/index.ts'
import { openObjectStore } from '../../../src/object-store/index.ts'
import { openDatabase } from '../../../src/postgres/index.ts'
import { tester } from '../../support/tester.ts'

const [url = '', folder = '', step = '', nth = '1', partRows = '100'] = process.argv.slice(2)
const worker = openDatabase({ url, role: 'worker' })
let left = Number(nth)
await runArchive(worker, tester, await openObjectStore(`file:${folder}`), {
  table: { schema: 'akashi_security', table: 'security_events' },
  partRows: Number(partRows),
  onStep: (reached) => {
    if (reached !== step) return
    left -= 1
    if (left === 0) process.kill(process.pid, 'SIGKILL')
  },
})
await worker.close()
