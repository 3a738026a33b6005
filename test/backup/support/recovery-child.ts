/**
 * Drills, or restores a table, as a process of its own, and kills itself: `recovery-child.ts OPTIONS`, which are JSON of
 * {@link ChildOptions}.
 */
import { openBackupStore, parseTarget, restoreTable, runDrill } from '../../../src/backup/index.ts'
import { openKeyring } from '../../../src/keys/index.ts'
import { openObjectStore } from '../../../src/object-store/index.ts'
import { type Database, openDatabase } from '../../../src/postgres/index.ts'
import { tester } from '../../support/tester.ts'

export interface ChildOptions {
  readonly store: string
  readonly keys: string
  readonly systemId: string
  readonly place: string
  /** URL of an administrator of the live database. */
  readonly url: string
  /** Of a drill, its phase; of a table, after how many requests to the live database. */
  readonly killAt: string | number
}

const options: ChildOptions = JSON.parse(process.argv[2] ?? '')
const { store, keys, systemId, place, url, killAt } = options
const keyring = await openKeyring(keys)
const backupStore = await openBackupStore({ store: await openObjectStore(store), keyring }, systemId)
const die = () => process.kill(process.pid, 'SIGKILL')

if (typeof killAt === 'string') {
  await runDrill(backupStore, {
    place,
    moment: 'latest',
    databaseName: 'postgres',
    limits: { rpoSeconds: 1e9, rtoSeconds: 1e9 },
    verifyLedger: async () => ({ checked: 0, problems: [] }),
    onPhase: (phase) => {
      if (phase === killAt) die()
    },
  })
} else {
  const live = openDatabase({ url, role: 'owner', poolSize: 1 })
  let requests = 0
  const counted: Database = {
    ...live,
    direct: async (work, more) => {
      requests += 1
      if (requests === killAt) die()
      return await live.direct(work, more)
    },
  }
  await restoreTable(backupStore, counted, tester, {
    table: { schema: 'public', table: 'goods' },
    into: { schema: 'public', table: 'goods_back' },
    target: parseTarget('latest'),
    databaseName: 'postgres',
    liveUrl: url,
    place,
  })
  await live.close()
}
await keyring.close()
