/** An address, whatever form a proxy writes it in. */
import { isIP } from 'node:net'

const mapped = /^::ffff:(?=\d+\.)/i
const bracketed = /^\[([^\]]*)\](?::\d{1,5})?$/
const withPort = /^(\d{1,3}(?:\.\d{1,3}){3}):\d{1,5}$/
/** Of IPv6: the interface of the machine that wrote it, which means nothing here. */
const zone = /%.*$/

/**
 * An IPv4 or IPv6 address without port and zone; undefined for `unknown`, `_hidden` (RFC 7239) and anything else that
 * is none.
 */
export function addressOf(text: string): string | undefined {
  const bare = text.trim()
  const address = (bracketed.exec(bare)?.[1] ?? withPort.exec(bare)?.[1] ?? bare)
    .replace(zone, '')
    .replace(mapped, '')
  return isIP(address) === 0 ? undefined : address
}
