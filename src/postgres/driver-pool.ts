import pg from 'pg'
import { type DatabaseRole, roleName } from './role.ts'

/** A pool of the driver itself, for a library that brings statements of its own: nothing of ours is in it. */
export type DriverPool = pg.Pool

/** The library names its own relations with their schema, and everything else is PostgreSQL's. */
const PINS = '-c search_path=pg_catalog,pg_temp'

/**
 * Opens a pool to the server itself, never through a pooler, that acts as a role. Connections that fail while nobody uses them, or after the library
 * let go of them, are replaced by the next use and never end the process. Whoever opens it awaits `end()`.
 * Without a limit on waiting for a connection: graphile-worker awaits nobody for what it finishes last, and
 * a rejection of that would end the process.
 */
export function openDriverPool(url: string, role: DatabaseRole, max: number): DriverPool {
  const pool = new pg.Pool({
    connectionString: url,
    max,
    options: PINS,
    verify: (client, done) => {
      client.query(`set role ${roleName(role)}`).then(() => done(), done)
    },
  })
  pool.on('error', () => undefined)
  pool.on('connect', (client) => client.on('error', () => undefined))
  return pool
}
