/** Syslog as RFC 5424 over TLS (RFC 5425) or TCP (RFC 6587), with the length before each message. */
import { once } from 'node:events'
import { connect, isIP, type Socket } from 'node:net'
import { hostname } from 'node:os'
import { connect as connectTls } from 'node:tls'
import { resolve } from '../destination.ts'
import { type Message, syslogOf } from '../message.ts'
import type { Channel, SendParts } from '../types.ts'

const PORTS: Readonly<Record<string, number>> = { 'tls:': 6514, 'tcp:': 601 }

export async function sendSyslog(
  channel: Channel,
  messages: readonly Message[],
  parts: SendParts,
): Promise<number> {
  const url = new URL(channel.destination)
  const socket = await open(url, parts)
  try {
    const frames = messages.map((message) => {
      const text = syslogOf(message, hostname())
      return `${Buffer.byteLength(text)} ${text}`
    })
    // Syslog has no acknowledgement. A receiver that closes the connection after the last message has
    // received everything.
    const closed = once(socket, 'close', { signal: parts.signal })
    socket.resume()
    socket.end(frames.join(''))
    await closed
    return 0
  } finally {
    socket.destroy()
  }
}

async function open(url: URL, { allowed, signal, tls }: SendParts): Promise<Socket> {
  const { address, family } = await resolve(url.hostname, allowed)
  const port = url.port === '' ? (PORTS[url.protocol] ?? 0) : Number(url.port)
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const socket =
    url.protocol === 'tls:'
      ? connectTls({ ...tls, host: address, port, ...(isIP(host) === 0 ? { servername: host } : {}) })
      : connect({ host: address, port, family })
  try {
    await once(socket, url.protocol === 'tls:' ? 'secureConnect' : 'connect', { signal })
    return socket
  } catch (error) {
    socket.destroy()
    throw error
  }
}
