import pg from 'pg'
import { CONNECT_TIMEOUT_MS } from './limits.ts'

/** A pool of the driver itself, for a library that brings statements of its own: nothing of ours is in it. */
export type DriverPool = pg.Pool

/**
 * Opens a pool to the server itself. Connections that fail while nobody uses them, or after the library
 * let go of them, are replaced by the next use and never end the process. Whoever opens it awaits `end()`.
 */
export function openDriverPool(url: string, max: number): DriverPool {
  const pool = new pg.Pool({ connectionString: url, max, connectionTimeoutMillis: CONNECT_TIMEOUT_MS })
  pool.on('error', () => undefined)
  pool.on('connect', (client) => client.on('error', () => undefined))
  return pool
}
