import type { Diagnosis } from '@akashi/contract'
import { appOf } from '../../foundation/index.ts'
import type { Actor } from '../../postgres/index.ts'
import type { Settings } from '../settings.ts'
import { alarms } from './alarms.ts'
import { type Area, type Check, type Placed, resultOf, runChecks } from './check.ts'
import { crosscheck } from './crosscheck.ts'
import { dataResidency } from './data-residency.ts'
import { capabilities, database, losses, migrations, pooler } from './database.ts'
import { fileScanner } from './file-scanner.ts'
import { dataFolder, keyringFolder } from './folders.ts'
import { frontier } from './frontier.ts'
import { keptWal } from './kept-wal.ts'
import { ledgerAlarms } from './ledger-alarms.ts'
import { nodeVersion } from './node-version.ts'
import { coldStore, destinations, objectStore, objectStoreOwner } from './object-store.ts'
import { disk, recovery } from './recovery.ts'
import { retention } from './retention.ts'
import { https, logins, passwords, rowSecurity, serverSettings, transport } from './security/index.ts'

const FULL_SCORE = 100
/** Points deducted from the score while a check fails: losing data or its proof weighs most. */
const SEVERE = 20
const SERIOUS = 10
const MINOR = 4

/** The checks that need the configuration, in display order. */
const checks: readonly Placed[] = [
  ...inArea('installation', [
    [SEVERE, dataFolder],
    [SEVERE, keyringFolder],
    [SEVERE, objectStore],
    [SERIOUS, coldStore],
    [SERIOUS, destinations],
    [SEVERE, objectStoreOwner],
    [SERIOUS, dataResidency],
    [SEVERE, database],
    [SERIOUS, pooler],
    [SEVERE, migrations],
    [MINOR, capabilities],
    [MINOR, fileScanner],
  ]),
  ...inArea('record', [
    [SEVERE, losses],
    [SERIOUS, frontier],
    [SEVERE, ledgerAlarms],
    [SEVERE, crosscheck],
    [SERIOUS, retention],
  ]),
  ...inArea('recovery', [
    [SERIOUS, keptWal],
    [SEVERE, recovery],
    [SERIOUS, disk],
  ]),
  ...inArea('security', [
    [SERIOUS, transport],
    [SERIOUS, https],
    [SEVERE, logins],
    [SERIOUS, passwords],
    [SEVERE, rowSecurity],
    [SERIOUS, serverSettings],
  ]),
  // Last, since it counts only problems that no earlier check found.
  ...inArea('alarms', [[SERIOUS, alarms]]),
]

function inArea(area: Area, placed: readonly (readonly [number, Check])[]): Placed[] {
  return placed.map(([points, check]) => ({ area, points, check }))
}

/** Checks this installation. If the configuration is invalid, the checks that depend on it are skipped. */
export async function examine({
  signal,
  config: readConfig,
  actor,
}: {
  readonly signal: AbortSignal
  readonly config: () => Promise<Settings>
  readonly actor: () => Promise<Actor>
}): Promise<Diagnosis> {
  let config: Settings | undefined
  const installation = { area: 'installation', points: SEVERE } as const
  const results = [
    await resultOf({ ...installation, name: 'node' }, signal, nodeVersion),
    await resultOf({ ...installation, name: 'configuration' }, signal, async () => {
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
  if (config !== undefined) {
    results.push(...(await runChecks(checks, { config, actor: await actor(), signal })))
  }
  const lost = results.reduce((sum, { deduction }) => sum + deduction, 0)
  return {
    ok: results.every(({ ok }) => ok),
    score: Math.max(0, FULL_SCORE - lost),
    checks: results,
  }
}
