/**
 * Which destinations a channel may use. A name is resolved once, and the connection uses the checked address,
 * so that the name cannot resolve to another address afterwards.
 */
import { lookup } from 'node:dns/promises'
import { BlockList, isIP, isIPv6 } from 'node:net'
import { AkashiError } from '../foundation/index.ts'

/** Loopback, link-local, cloud metadata services, and addresses that are not a single host. */
const refused = new BlockList()
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['224.0.0.0', 3],
  ['100.100.100.200', 32],
  ['192.0.0.0', 24],
] as const)
  refused.addSubnet(network, bits, 'ipv4')
for (const [network, bits] of [
  ['::', 127],
  ['fe80::', 10],
  ['ff00::', 8],
  ['fd00:ec2::', 32],
  ['64:ff9b::', 96],
] as const)
  refused.addSubnet(network, bits, 'ipv6')

interface Address {
  readonly address: string
  readonly family: 4 | 6
}

/** Networks that are allowed nevertheless: the setting `delivery.allowed_networks`. */
export function allowedNetworks(networks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', bits] = network.split('/')
    if (isIP(address) === 0) continue
    const family = isIPv6(address) ? 'ipv6' : 'ipv4'
    if (bits === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(bits), family)
  }
  return list
}

/** @throws AkashiError unavailable for a name that does not resolve, forbidden for an address that is not allowed */
export async function resolve(host: string, allowed: BlockList): Promise<Address> {
  const name = host.replace(/^\[(.*)\]$/, '$1')
  const found = await lookup(name, { all: true, verbatim: true }).catch((cause: unknown) => {
    throw new AkashiError('unavailable', `the name ${name} does not resolve`, { cause })
  })
  for (const { address, family } of found) {
    const kind = family === 6 ? 'ipv6' : 'ipv4'
    if (refused.check(address, kind) && !allowed.check(address, kind)) {
      throw new AkashiError('forbidden', `channels may not send to ${address}`, {
        hint: 'akashi settings set delivery.allowed_networks allows a network',
      })
    }
  }
  const [first] = found
  if (first === undefined) throw new AkashiError('unavailable', `the name ${name} does not resolve`)
  return { address: first.address, family: first.family === 6 ? 6 : 4 }
}
