/** Whether somebody in between could read what goes to the database, or play the database. */
import {
  type DirectSession,
  isOnThisMachine,
  type ServerAddress,
  serverAddress,
} from '../../../postgres/index.ts'
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
  /** Of the URLs that processes connect to. */
  readonly addresses: readonly ServerAddress[]
  readonly serverOffers: boolean
  /** Rules of remote addresses; null where the login may not read them. */
  readonly rules: readonly HbaRule[] | null
}

const VERIFIED = 'verify-full'

export const transport: Check = {
  name: 'TLS of the database',
  run: onDatabase('owner', async (database, _, { adminUrl, url }) => {
    const addresses = [...new Set([url('server'), adminUrl])].map(serverAddress)
    return judgeTransport(await database.direct((session) => readTransport(session, addresses)))
  }),
}

async function readTransport(
  session: DirectSession,
  addresses: readonly ServerAddress[],
): Promise<Transport> {
  const { rows } = await session.query<{ ssl: boolean }>(`select current_setting('ssl')::boolean as ssl`)
  return { addresses, serverOffers: rows[0]?.ssl === true, rules: await remoteRules(session) }
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
  return host === 'samehost' || isOnThisMachine(host)
}

export function judgeTransport({ addresses, serverOffers, rules }: Transport): Finding {
  const open = (rules ?? []).filter(({ type, method }) => type !== 'hostssl' && method !== 'reject')
  if (open.length > 0) {
    const [first] = open
    return {
      ok: false,
      detail: `the server lets other machines in without TLS: ${open.map(({ line, type, address }) => `line ${line} of pg_hba.conf (${type} ${address})`).join(', ')}`,
      hint: `write hostssl instead of ${first?.type} there, then select pg_reload_conf(); ssl must be on`,
    }
  }
  const remote = addresses.filter(({ host }) => !isLoopback(host))
  if (remote.length === 0) {
    return { ok: true, detail: 'the database is on this machine; no other machine connects without TLS' }
  }
  const clear = remote.find(({ mode }) => mode === 'disable')
  if (clear !== undefined) {
    return {
      ok: false,
      detail: `the connection to ${clear.host} has sslmode=disable: passwords and rows cross the network in the clear`,
      hint: serverOffers
        ? 'take sslmode=disable out of the database URL, and name your own authority with sslrootcert=FILE'
        : 'give the server a certificate (ssl_cert_file, ssl_key_file) and set ssl = on, then take sslmode=disable out of the database URL',
    }
  }
  const weak = remote.find(({ mode }) => mode !== VERIFIED)
  if (weak !== undefined) {
    return {
      ok: false,
      detail: `the connection to ${weak.host} has sslmode=${weak.mode}, so another server could take its place`,
      hint: 'set sslmode=verify-full in the database URL, with sslrootcert=FILE where the authority is your own',
    }
  }
  return {
    ok: true,
    detail: `${remote.map(({ host }) => host).join(', ')}: encrypted, and the certificate is verified`,
  }
}
