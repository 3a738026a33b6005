import type { Config } from '../../foundation/index.ts'
import { type Check, type CheckResult, resultOf, runChecks } from './check.ts'
import { capabilities, database, losses, migrations, pooler } from './database.ts'
import { dataFolder, keyringFolder, objectStoreFolder } from './folders.ts'
import { frontier } from './frontier.ts'
import { nodeVersion } from './node-version.ts'

/** What needs the configuration, in the order it is shown. */
const checks: readonly Check[] = [
  dataFolder,
  keyringFolder,
  objectStoreFolder,
  database,
  pooler,
  migrations,
  losses,
  capabilities,
  frontier,
]

/** Examines this installation. With a configuration that is wrong, nothing that depends on it is examined. */
export async function examine(
  signal: AbortSignal,
  readConfig: () => Promise<Config>,
): Promise<CheckResult[]> {
  let config: Config | undefined
  const results = [
    await resultOf('node', signal, nodeVersion),
    await resultOf('configuration', signal, async () => {
      config = await readConfig()
      const own = config.databaseUrl === undefined
      return {
        ok: true,
        detail: own ? 'uses the embedded PostgreSQL' : 'uses the PostgreSQL of DATABASE_URL',
      }
    }),
  ]
  return config === undefined ? results : [...results, ...(await runChecks(checks, { config, signal }))]
}
