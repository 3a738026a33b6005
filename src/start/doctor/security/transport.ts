/** Whether somebody in between could read what goes to the database, or play the database. */
import { isLoopbackAddress, isLoopbackHost } from '../../../foundation/index.ts'
import type { DirectSession } from '../../../postgres/index.ts'
import type { Check, Finding } from '../check.ts'
import { onDatabase } from '../on-database.ts'

/** `host`, `hostnossl` and so on, as pg_hba_file_rules has them. */
export interface HbaRule {
  readonly line: number
  readonly type: string
  readonly address: string
  readonly method: string
}

interface Transport {
  /** Host of the URL; empty for a socket. */
  readonly host: string
  /** As the URL has it; null where it has none. */
  readonly sslmode: string | null
  readonly serverOffers: boolean
  /** Rules of remote addresses; null where the login may not read them. */
  readonly rules: readonly HbaRule[] | null
}

const VERIFIED = 'verify-full'

export const transport: Check = {
  name: 'TLS of the database',
  run: onDatabase('owner', async (database, _, { adminUrl }) =>
    judgeTransport(await database.direct((session) => readTransport(session, adminUrl))),
  ),
}

async function readTransport(session: DirectSession, databaseUrl: string): Promise<Transport> {
  const { hostname, searchParams } = new URL(databaseUrl)
  const { rows } = await session.query<{ ssl: boolean }>(`select current_setting('ssl')::boolean as ssl`)
  return {
    host: decodeURIComponent(searchParams.get('host') ?? hostname),
    sslmode: searchParams.get('sslmode'),
    serverOffers: rows[0]?.ssl === true,
    rules: await remoteRules(session),
  }
}

/** Rules that let others than this machine in, in order. */
async function remoteRules(session: DirectSession): Promise<HbaRule[] | null> {
  return (
    (await hbaRules(session))?.filter(({ type, address }) => type !== 'local' && !isLoopback(address)) ?? null
  )
}

/** null where the login may not read them, as with managed servers. */
export async function hbaRules(session: DirectSession): Promise<HbaRule[] | null> {
  const { rows: allowed } = await session.query<{ may: boolean }>(
    `select has_function_privilege('pg_catalog.pg_hba_file_rules()', 'execute')
            and has_table_privilege('pg_catalog.pg_hba_file_rules', 'select') as may`,
  )
  if (allowed[0]?.may !== true) return null
  const { rows } = await session.query<HbaRule>(
    `select line_number as line, type, coalesce(address, '') as address, auth_method as method
     from pg_hba_file_rules where error is null order by line_number`,
  )
  return rows
}

/** Of a URL's host or of pg_hba.conf: a socket, `samehost`, or an address of this machine alone. */
export function isLoopback(host: string): boolean {
  return (
    host === '' ||
    host.startsWith('/') ||
    host === 'samehost' ||
    isLoopbackHost(host) ||
    isLoopbackAddress(host)
  )
}

export function judgeTransport({ host, sslmode, serverOffers, rules }: Transport): Finding {
  const open = (rules ?? []).filter(({ type, method }) => type !== 'hostssl' && method !== 'reject')
  if (open.length > 0) {
    const [first] = open
    return {
      ok: false,
      detail: `the server lets other machines in without TLS: ${open.map(({ line, type, address }) => `line ${line} of pg_hba.conf (${type} ${address})`).join(', ')}`,
      hint: `write hostssl instead of ${first?.type} there, then select pg_reload_conf(); ssl must be on`,
    }
  }
  if (isLoopback(host)) {
    return { ok: true, detail: 'the database is on this machine; no other machine connects without TLS' }
  }
  if (!serverOffers) {
    return {
      ok: false,
      detail: `${host} offers no TLS: passwords and rows cross the network in the clear`,
      hint: 'give the server a certificate (ssl_cert_file, ssl_key_file) and set ssl = on, then sslmode=verify-full in the URL',
    }
  }
  if (sslmode !== null && sslmode !== VERIFIED) {
    return {
      ok: false,
      detail: `the connection to ${host} has sslmode=${sslmode}, so another server could take its place`,
      hint: 'set sslmode=verify-full in DATABASE_URL, with sslrootcert=FILE where the authority is your own',
    }
  }
  return { ok: true, detail: `${host}: encrypted, and its certificate is verified` }
}
