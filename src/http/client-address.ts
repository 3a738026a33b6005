/** Where a request came from, whatever form a proxy writes it in. */
import { isIP } from 'node:net'
import type { FastifyRequest } from 'fastify'

const mapped = /^::ffff:(?=\d+\.)/i
const bracketed = /^\[([^\]]*)\](?::\d{1,5})?$/
const withPort = /^(\d{1,3}(?:\.\d{1,3}){3}):\d{1,5}$/
/** Of IPv6: the interface of the machine that wrote it, which means nothing here. */
const zone = /%.*$/
/** Groups of 16 bits in the network of 64 bits that one site has. */
const NETWORK_GROUPS = 4

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

/** By which requests are counted: one network of IPv6 (/64) is one caller. */
export function networkOf(request: FastifyRequest): string {
  const address = addressOf(request.ip) ?? addressOf(request.socket.remoteAddress ?? '') ?? 'unknown'
  return isIP(address) === 6 ? `${groupsOf(address).slice(0, NETWORK_GROUPS).join(':')}::/64` : address
}

function groupsOf(address: string): string[] {
  const [head = '', tail] = address.toLowerCase().split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const gap = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length)
  return [...before, ...Array<string>(gap).fill('0'), ...after].map((group) => group.replace(/^0+(?=.)/, ''))
}
