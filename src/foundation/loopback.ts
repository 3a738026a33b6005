import { isIPv6 } from 'node:net'

const loopbackV4 = /^127(?:\.\d{1,3}){3}$/

/** Whether a socket's address is this machine's own: 127.0.0.0/8, ::1, or the former mapped into IPv6. */
export function isLoopbackAddress(address: string | undefined): boolean {
  if (address === undefined) {
    return false
  }
  const plain = address.toLowerCase().replace(/^::ffff:/, '')
  return loopbackV4.test(plain) || (isIPv6(plain) && plain === '::1')
}

/** Whether a Host header names this machine: localhost, a loopback address, with or without a port. */
export function isLoopbackHost(host: string | undefined): boolean {
  const name = /^(\[[0-9a-f:]+\]|[^:]+)(?::\d{1,5})?$/i.exec(host ?? '')?.[1]?.toLowerCase()
  return name === 'localhost' || name === '[::1]' || loopbackV4.test(name ?? '')
}
