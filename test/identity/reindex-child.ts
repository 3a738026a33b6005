/** A process of its own that rotates the key of blind indexes and is killed on its way: `reindex-child.ts DATABASE KEYS N`. */

import { rotateIndexes } from '../../src/identity/index.ts'
import { openKeyring } from '../../src/keys/index.ts'
import { openDatabase } from '../../src/postgres/index.ts'
import { tester } from '../support/tester.ts'

const [url = '', keys = '', after = ''] = process.argv.slice(2)
await rotateIndexes(
  { database: openDatabase({ url, role: 'worker' }), keyring: await openKeyring(keys) },
  tester,
  { onProgress: (done) => (done >= Number(after) ? process.kill(process.pid, 'SIGKILL') : undefined) },
)
