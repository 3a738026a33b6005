/** Every command. A command is one file that registers itself and imports heavy modules only when it runs. */
import type { Register } from '../invocation.ts'
import { accessReview } from './access-review.ts'
import { alarms } from './alarms.ts'
import { apikeys } from './apikeys.ts'
import { app } from './app.ts'
import { approvals } from './approvals.ts'
import { archive } from './archive.ts'
import { audit } from './audit.ts'
import { backup } from './backup.ts'
import { channel } from './channel.ts'
import { contextKey } from './context-key.ts'
import { cost } from './cost.ts'
import { crosscheck } from './crosscheck.ts'
import { ddl } from './ddl.ts'
import { detect } from './detect.ts'
import { doctor } from './doctor.ts'
import { drill } from './drill.ts'
import { events } from './events.ts'
import { evidence } from './evidence.ts'
import { ingest } from './ingest.ts'
import { init } from './init.ts'
import { jobs } from './jobs.ts'
import { keys } from './keys.ts'
import { migrate } from './migrate.ts'
import { partitions } from './partitions.ts'
import { policies } from './policies.ts'
import { protect, unprotect } from './protect.ts'
import { quarantine } from './quarantine.ts'
import { query } from './query.ts'
import { receive } from './receive.ts'
import { remove } from './remove.ts'
import { report } from './report.ts'
import { restore } from './restore.ts'
import { roles } from './roles.ts'
import { sample } from './sample.ts'
import { serve, work } from './serve.ts'
import { settings } from './settings.ts'
import { status, url } from './status.ts'
import { supportBundle } from './support-bundle.ts'
import { up } from './up.ts'
import { upgrade } from './upgrade.ts'
import { users } from './users.ts'
import { verify } from './verify.ts'
import { walFetch } from './wal-fetch.ts'
import { witness } from './witness.ts'

/** In the order in which `--help` lists them. */
export const commands: readonly Register[] = [
  up,
  init,
  serve,
  work,
  status,
  url,
  doctor,
  upgrade,
  migrate,
  remove,
  settings,
  protect,
  unprotect,
  ingest,
  receive,
  quarantine,
  events,
  audit,
  evidence,
  verify,
  crosscheck,
  witness,
  keys,
  app,
  contextKey,
  partitions,
  archive,
  query,
  channel,
  detect,
  ddl,
  cost,
  backup,
  restore,
  drill,
  walFetch,
  jobs,
  alarms,
  report,
  sample,
  users,
  roles,
  policies,
  approvals,
  accessReview,
  supportBundle,
  apikeys,
]
