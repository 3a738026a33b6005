/** The key by which the requests of a caller are counted. */
import { isIP } from 'node:net'
import { addressOf } from '@akashi/client'
import type { FastifyRequest } from 'fastify'

/** Groups of 16 bits in the network of 64 bits that one site has. */
const NETWORK_GROUPS = 4

/** The key by which requests are counted: one IPv6 network (/64) is one caller. */
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
