import pg from 'pg'
import { POOL_IDLE_MS } from './limits.ts'
import { type DatabaseRole, roleName } from './role.ts'
import { transportOf } from './tls.ts'

/** A plain pool of the driver, for a library that runs its own statements. */
export type DriverPool = pg.Pool

/** The library qualifies its own relations; every other name is PostgreSQL's. */
const PINS = '-c search_path=pg_catalog,pg_temp'

/**
 * Opens a pool of direct connections that act as a role. A connection that fails while it is idle, or after the
 * library released it, is replaced at the next use and never ends the process. The caller awaits `end()`.
 * Waiting for a connection has no limit: graphile-worker does not await its last statements, and if one of
 * them were rejected, the process would end.
 */
export function openDriverPool(url: string, role: DatabaseRole, max: number): DriverPool {
  const pool = new pg.Pool({
    ...transportOf(url),
    max,
    idleTimeoutMillis: POOL_IDLE_MS,
    options: PINS,
    verify: (client, done) => {
      client.query(`set role ${roleName(role)}`).then(() => done(), done)
    },
  })
  pool.on('error', () => undefined)
  pool.on('connect', (client) => client.on('error', () => undefined))
  return pool
}
