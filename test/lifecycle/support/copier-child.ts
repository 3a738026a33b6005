/** Makes copies as a process of its own and kills itself at a step: `copier-child.ts URL FOLDER STEP`. */
import { join } from 'node:path'
import { runArchive } from '../../../src/lifecycle/index.ts'
import { openObjectStore, withDestinations } from '../../../src/object-store/index.ts'
import { openDatabase } from '../../../src/postgres/index.ts'
import { tester } from '../../support/tester.ts'

const [url = '', folder = '', step = ''] = process.argv.slice(2)
const worker = openDatabase({ url, role: 'worker' })
const store = withDestinations(await openObjectStore(`file:${join(folder, 'main')}`), (name) =>
  openObjectStore(`file:${join(folder, name)}`),
)
await runArchive(worker, tester, store, {
  table: { schema: 'akashi_security', table: 'security_events' },
  onStep: (reached) => {
    if (reached === step) process.kill(process.pid, 'SIGKILL')
  },
})
await worker.close()
