import { isIPv4, isIPv6 } from 'node:net'

const MAPPED = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/

/**
 * The canonical text of an address (RFC 5952); null for host names and anything else. Drops brackets and an
 * IPv6 zone (`%eth0`), which PostgreSQL's inet cannot store. An IPv4-mapped address (`::ffff:192.0.2.1`) becomes
 * IPv4, so that both count as one.
 */
export function normaliseAddress(written: string): string | null {
  if (isIPv4(written)) return written
  let address = written.startsWith('[') && written.endsWith(']') ? written.slice(1, -1) : written
  const zone = address.indexOf('%')
  if (zone > 0) address = address.slice(0, zone)
  if (!isIPv6(address)) return null
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1)
  const mapped = MAPPED.exec(canonical)
  if (mapped === null) return canonical
  const high = Number.parseInt(mapped[1] ?? '', 16)
  const low = Number.parseInt(mapped[2] ?? '', 16)
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`
}
