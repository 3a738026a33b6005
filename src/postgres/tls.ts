/** How a connection is encrypted and whom it trusts, by the parameters of the URL (PostgreSQL documentation, 32.19). */
import { readFileSync } from 'node:fs'
import { type ConnectionOptions, checkServerIdentity } from 'node:tls'
import pg from 'pg'
import { AkashiError, errno, isLoopbackAddress, isLoopbackHost } from '../foundation/index.ts'

/** From no encryption to a server whose certificate and name are verified. */
const sslModes = ['disable', 'require', 'verify-ca', 'verify-full'] as const
export type SslMode = (typeof sslModes)[number]

/** Parameters that are interpreted here and hidden from the driver, which gives some of them another meaning. */
const parameters = ['ssl', 'sslmode', 'sslrootcert', 'sslcert', 'sslkey', 'sslnegotiation', 'uselibpqcompat']
/** Other names: those of the driver. */
const aliases: Readonly<Record<string, SslMode>> = { 'no-verify': 'require' }
const switches: Readonly<Record<string, SslMode>> = {
  true: 'verify-full',
  1: 'verify-full',
  false: 'disable',
  0: 'disable',
}
/** The authorities that Node.js brings, as libpq names them. */
const SYSTEM = 'system'

export interface ServerAddress {
  /** Name, address, or folder of a socket. */
  readonly host: string
  readonly mode: SslMode
}

/** What the driver is given of an address. */
export type Transport = Pick<pg.ClientConfig, 'connectionString' | 'ssl' | 'sslnegotiation'>

/** Whether everything that is sent to the host of a URL stays on this machine. */
export function isOnThisMachine(host: string): boolean {
  return host === '' || host.startsWith('/') || isLoopbackHost(host) || isLoopbackAddress(host)
}

/**
 * Where a URL leads and how the connection is secured: by its `sslmode`, and without one by `verify-full`, or not at
 * all where the server is on this machine.
 *
 * @throws invalid_config for a mode that is unknown, or that goes on without TLS when there is none
 */
export function serverAddress(url: string): ServerAddress {
  const { host } = split(url)
  return { host, mode: modeOf(url, host) }
}

/** @throws invalid_config for a mode or file that cannot be used */
export function transportOf(url: string): Transport {
  const { target, host, given } = split(url)
  const mode = modeOf(url, host)
  const connectionString = target.href
  if (mode === 'disable') return { connectionString, ssl: false }
  const root = given.get('sslrootcert')
  const ssl: ConnectionOptions = {
    ...file('ca', root === SYSTEM ? null : root),
    ...file('cert', given.get('sslcert')),
    ...file('key', given.get('sslkey')),
    ...trust(mode, host, root),
  }
  const negotiation = given.get('sslnegotiation')
  return { connectionString, ssl, ...(negotiation === 'direct' ? { sslnegotiation: negotiation } : {}) }
}

function trust(mode: SslMode, host: string, root: string | null): ConnectionOptions {
  if (mode === 'verify-full') {
    return { checkServerIdentity: (_, certificate) => checkServerIdentity(host, certificate) }
  }
  const anyName = { checkServerIdentity: () => undefined }
  // As libpq has it: with an authority of one's own, its signature is demanded.
  if (root !== null && root !== SYSTEM) return anyName
  if (mode === 'require') return { rejectUnauthorized: false }
  throw new AkashiError('invalid_config', 'sslmode=verify-ca needs the certificate of your own authority', {
    hint: 'add sslrootcert=FILE to the database URL, or use sslmode=verify-full',
  })
}

function modeOf(url: string, host: string): SslMode {
  const { searchParams } = new URL(url)
  const asked = searchParams.get('sslmode')
  const ssl = searchParams.get('ssl')
  if (asked !== null) {
    const mode = aliases[asked] ?? sslModes.find((known) => known === asked)
    if (mode !== undefined) return mode
    throw new AkashiError('invalid_config', 'the sslmode of the database URL is not one of Akashi’s', {
      hint: `use ${sslModes.join(', ')}; allow and prefer go on in the clear when somebody in between says that there is no TLS`,
    })
  }
  const switched = ssl === null ? undefined : (aliases[ssl] ?? switches[ssl])
  if (switched !== undefined) return switched
  const named = ['sslrootcert', 'sslcert'].some((name) => searchParams.has(name))
  return isOnThisMachine(host) && !named ? 'disable' : 'verify-full'
}

function split(url: string): { target: URL; host: string; given: URLSearchParams } {
  const target = new URL(url)
  const given = new URLSearchParams(target.searchParams)
  for (const name of parameters) target.searchParams.delete(name)
  const named = given.get('host') ?? decodeURIComponent(target.hostname).replaceAll(/[[\]]/g, '')
  // Without a host, the driver takes that of PGHOST.
  const host = named === '' ? new pg.Client({ connectionString: target.href, ssl: false }).host : named
  return { target, host, given }
}

function file(option: 'ca' | 'cert' | 'key', path: string | null): ConnectionOptions {
  if (path === null) return {}
  try {
    return { [option]: readFileSync(path, 'utf8') }
  } catch (error) {
    throw new AkashiError('invalid_config', `${path}, which the database URL names, cannot be read`, {
      hint: `check its path and that this account may read it (${errno(error) ?? 'unknown'})`,
      cause: error,
    })
  }
}
