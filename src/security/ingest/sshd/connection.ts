import type { SshdFacts, SshdRule } from './facts.ts'

const USER_PEER = /^(?:authenticating |invalid )?user (.*) (\S+) port (\d+)$/s
const PEER = /^(\S+?)(?: port (\d+))?$/
const CLOSED = /^Connection (closed|reset) by (.*)$/s
const ON = String.raw` on \S+ port \d+(?: rdomain ".*")?`
const OPENED = new RegExp(String.raw`^Connection from (\S+) port (\d+)(?:${ON})?$`)
const OPENED_BY = new RegExp(
  String.raw`^Connection from (?:authenticating |invalid )?user (.*) (\S+) port (\d+)${ON}$`,
  's',
)
const RECEIVED = /^Received disconnect from (\S+)(?: port (\d+))?: ?(\d+): (.*)$/s
const DISCONNECTED = /^Disconnected from (.*)$/s
const DISCONNECTING_PEER = /^Disconnecting (.* port \d+): (.*)$/s
const DISCONNECTING = /^Disconnecting: (.*)$/s
const TOO_MANY = /^Too many authentication failures for (.*)$/s
const NO_IDENTIFICATION = /^Did not receive identification string from (.*)$/s
const BAD_PROTOCOL = /^Bad protocol version identification '(.*)' from (.*)$/s
const REFUSED_TALK =
  /^(?:banner exchange: Connection from|Unable to negotiate with) (\S+?)(?: port (\d+))?: (.*)$/s
const VERSIONS_DIFFER = /^Protocol major versions differ for (\S+?)(?: port (\d+))?: (.*)$/s
const KEY_EXCHANGE = /^(?:kex_exchange_identification|kex_protocol_error|ssh_dispatch_run_fatal): (.*)$/s
const DURING = /^Connection (?:from|to) (.* port \d+): (.*)$/s
const PENALTY = /^srclimit_penalise: \w+: (?:new|expired)? ?(?:active )?(\S+?)\/\d+ (.*)$/s
const DROPPED_PEER = / from \[([^\]]+)\]:(\d+)/
const REVERSE = /^reverse mapping checking getaddrinfo for (\S+) (?:\[(\S+)\] )?failed/
const MAPS_TO = /^Address (\S+) maps to (\S+), but this does not map back to the address/
const NASTY = /^Nasty PTR record "(.*)" is set up for (\S+), ignoring$/s

type Peer = Pick<SshdFacts, 'user' | 'source' | 'port'>

/** `192.0.2.1`, `192.0.2.1 port 22` or `invalid user x 192.0.2.1 port 22`. */
function peer(written: string | undefined): Peer | null {
  if (written === undefined) return null
  const user = USER_PEER.exec(written)
  if (user !== null) return { user: user[1], source: user[2], port: user[3] }
  const plain = PEER.exec(written)
  return plain === null ? null : { source: plain[1], port: plain[2] }
}

export const connection: SshdRule = (message) => {
  const closed = CLOSED.exec(message)
  if (closed !== null) {
    const found = peer(closed[2])
    return found === null ? null : { type: 'connection_closed', ...found, details: { reason: closed[1] } }
  }
  const opened = OPENED.exec(message)
  if (opened !== null) return { type: 'connection_opened', source: opened[1], port: opened[2] }
  const by = OPENED_BY.exec(message)
  return by === null ? null : { type: 'connection_opened', user: by[1], source: by[2], port: by[3] }
}

export const receivedDisconnect: SshdRule = (message) => {
  const match = RECEIVED.exec(message)
  if (match === null) return null
  const details = { code: Number(match[3]), reason: match[4] }
  return { type: 'connection_disconnected', source: match[1], port: match[2], details }
}

export const disconnected: SshdRule = (message) => {
  const found = peer(DISCONNECTED.exec(message)?.[1])
  return found === null ? null : { type: 'connection_disconnected', ...found }
}

/** Newer versions log `maximum authentication attempts exceeded` first, older ones only this. */
export const disconnecting: SshdRule = (message) => {
  const match = DISCONNECTING_PEER.exec(message)
  const found = peer(match?.[1])
  if (found !== null) return { type: 'connection_disconnected', ...found, details: { reason: match?.[2] } }
  const reason = DISCONNECTING.exec(message)?.[1]
  if (reason === undefined) return null
  const user = TOO_MANY.exec(reason)?.[1]
  if (user === undefined) return { type: 'connection_disconnected', details: { reason } }
  return { type: 'authentication_limit_exceeded', user, details: { reason } }
}

/** A client did not speak SSH, or no version that this server accepts. */
export const probe: SshdRule = (message) => {
  const silent = peer(NO_IDENTIFICATION.exec(message)?.[1])
  if (silent !== null) return { type: 'connection_probe', ...silent }
  const bad = BAD_PROTOCOL.exec(message)
  const speaker = peer(bad?.[2])
  if (speaker !== null) return { type: 'connection_probe', ...speaker, details: { sent: bad?.[1] } }
  const refused = REFUSED_TALK.exec(message) ?? VERSIONS_DIFFER.exec(message)
  if (refused !== null) {
    return { type: 'connection_probe', source: refused[1], port: refused[2], details: { reason: refused[3] } }
  }
  const exchange = KEY_EXCHANGE.exec(message)
  if (exchange === null) return null
  const during = DURING.exec(exchange[1] ?? '')
  const found = peer(during?.[1])
  return found === null
    ? { type: 'connection_probe', details: { reason: exchange[1] } }
    : { type: 'connection_probe', ...found, details: { reason: during?.[2] } }
}

/** sshd refuses an address for a while, after failures (PerSourcePenalties). */
export const penalised: SshdRule = (message) => {
  const match = PENALTY.exec(message)
  return match === null ? null : { type: 'source_penalised', source: match[1], details: { reason: match[2] } }
}

/** More concurrent connections than the server allows. */
export const dropped: SshdRule = (message) => {
  const match = DROPPED_PEER.exec(message)
  return { type: 'connection_refused', source: match?.[1], port: match?.[2], details: { reason: message } }
}

/** The host name of the address does not resolve back to it; sshd calls that a possible break-in attempt. */
export const reverseMapping: SshdRule = (message) => {
  const match = REVERSE.exec(message)
  if (match !== null) return { type: 'reverse_mapping_failed', source: match[2], details: { name: match[1] } }
  const maps = MAPS_TO.exec(message)
  if (maps !== null) return { type: 'reverse_mapping_failed', source: maps[1], details: { name: maps[2] } }
  const nasty = NASTY.exec(message)
  return nasty === null
    ? null
    : { type: 'reverse_mapping_failed', source: nasty[2], details: { name: nasty[1] } }
}
