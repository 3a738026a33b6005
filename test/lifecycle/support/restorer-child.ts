/** Restores a partition as a process of its own and kills itself at a step: `restorer-child.ts URL STORE SCHEMA TABLE PARTITION STEP`. */
import { restorePartition } from '../../../src/lifecycle/index.ts'
import { openObjectStore } from '../../../src/object-store/index.ts'
import { openDatabase } from '../../../src/postgres/index.ts'
import { tester } from '../../support/tester.ts'

const [url = '', folder = '', schema = '', table = '', partition = '', step = ''] = process.argv.slice(2)
const owner = openDatabase({ url, role: 'owner' })
await restorePartition(owner, tester, await openObjectStore(`file:${folder}`), {
  schema,
  table,
  partition,
  onStep: (reached) => {
    if (reached === step) process.kill(process.pid, 'SIGKILL')
  },
})
await owner.close()
