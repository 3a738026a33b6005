/** Every command. A command is one file that registers itself and imports heavy modules only when it runs. */
import type { Register } from '../invocation.ts'
import { apikeys } from './apikeys.ts'
import { archive } from './archive.ts'
import { audit } from './audit.ts'
import { backup } from './backup.ts'
import { contextKey } from './context-key.ts'
import { cost } from './cost.ts'
import { ddl } from './ddl.ts'
import { doctor } from './doctor.ts'
import { drill } from './drill.ts'
import { events } from './events.ts'
import { ingest } from './ingest.ts'
import { jobs } from './jobs.ts'
import { keys } from './keys.ts'
import { migrate } from './migrate.ts'
import { partitions } from './partitions.ts'
import { policies } from './policies.ts'
import { protect, unprotect } from './protect.ts'
import { query } from './query.ts'
import { restore } from './restore.ts'
import { roles } from './roles.ts'
import { sample } from './sample.ts'
import { serve, work } from './serve.ts'
import { settings } from './settings.ts'
import { status, url } from './status.ts'
import { up } from './up.ts'
import { upgrade } from './upgrade.ts'
import { users } from './users.ts'
import { verify } from './verify.ts'
import { walFetch } from './wal-fetch.ts'
import { witness } from './witness.ts'

/** In the order in which `--help` lists them. */
export const commands: readonly Register[] = [
  up,
  serve,
  work,
  status,
  url,
  doctor,
  upgrade,
  migrate,
  settings,
  protect,
  unprotect,
  ingest,
  events,
  audit,
  verify,
  witness,
  keys,
  contextKey,
  partitions,
  archive,
  query,
  ddl,
  cost,
  backup,
  restore,
  drill,
  walFetch,
  jobs,
  sample,
  users,
  roles,
  policies,
  apikeys,
]
