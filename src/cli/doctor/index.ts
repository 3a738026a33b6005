import { appOf, type Config } from '../../foundation/index.ts'
import type { Invocation } from '../invocation.ts'
import { type Check, type CheckResult, resultOf, runChecks } from './check.ts'
import { dataResidency } from './data-residency.ts'
import { capabilities, database, losses, migrations, pooler } from './database.ts'
import { fileScanner } from './file-scanner.ts'
import { dataFolder, keyringFolder } from './folders.ts'
import { frontier } from './frontier.ts'
import { keptWal } from './kept-wal.ts'
import { ledgerAlarms } from './ledger-alarms.ts'
import { nodeVersion } from './node-version.ts'
import { objectStore, objectStoreOwner } from './object-store.ts'
import { retention } from './retention.ts'

/** The checks that need the configuration, in display order. */
const checks: readonly Check[] = [
  dataFolder,
  keyringFolder,
  objectStore,
  objectStoreOwner,
  dataResidency,
  database,
  pooler,
  migrations,
  losses,
  capabilities,
  frontier,
  ledgerAlarms,
  keptWal,
  retention,
  fileScanner,
]

/** Checks this installation. If the configuration is invalid, the checks that depend on it are skipped. */
export async function examine({
  signal,
  config: readConfig,
  actor,
}: Pick<Invocation, 'signal' | 'config' | 'actor'>): Promise<CheckResult[]> {
  let config: Config | undefined
  const results = [
    await resultOf('node', signal, nodeVersion),
    await resultOf('configuration', signal, async () => {
      config = await readConfig()
      const { name, version, tier, environment } = appOf(config)
      const server =
        config.databaseUrl === undefined ? 'the embedded PostgreSQL' : 'the PostgreSQL of DATABASE_URL'
      return {
        ok: true,
        detail: `${name} ${version}, tier ${tier}, environment ${environment}; uses ${server}`,
      }
    }),
  ]
  return config === undefined
    ? results
    : [...results, ...(await runChecks(checks, { config, actor: await actor(), signal }))]
}
