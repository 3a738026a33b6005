/** The certificate that a PostgreSQL server shows, asked for as a client does (SSLRequest). */
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, type PeerCertificate } from 'node:tls'

/** Milliseconds for the whole exchange. */
const TIMEOUT_MS = 5_000
const DEFAULT_PORT = 5432
/** Int32 length 8, Int32 80877103: SSLRequest of the frontend protocol. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])
const ACCEPTED = 'S'.charCodeAt(0)

export interface ServerCertificate {
  /** Common name, or the first alternative name. */
  readonly name: string
  readonly validTo: Date
}

/** null where the server offers no TLS. @throws Error when it cannot be reached */
export async function serverCertificate(url: string): Promise<ServerCertificate | null> {
  const { hostname, port } = new URL(url)
  const host = decodeURIComponent(hostname).replaceAll(/[[\]]/g, '')
  // A socket in the file system has no TLS.
  if (host === '' || host.startsWith('/')) return null
  const socket = connectTcp({ host, port: Number(port === '' ? DEFAULT_PORT : port) })
  return await exchange(socket, (tcp, settle, fail) => {
    tcp.once('connect', () => tcp.write(SSL_REQUEST))
    tcp.once('data', (reply) => {
      if (reply[0] !== ACCEPTED) return settle(null)
      // Only its expiry is checked, not whether it is trusted.
      const tls = connectTls({ socket: tcp, servername: host, rejectUnauthorized: false })
      tls.once('secureConnect', () => settle(describe(tls.getPeerCertificate())))
      tls.once('error', fail)
    })
  })
}

/** The certificate of an HTTPS address. @throws Error when it cannot be reached */
export async function httpsCertificate(url: string): Promise<ServerCertificate | null> {
  const { hostname, port } = new URL(url)
  const tls = connectTls({
    host: hostname,
    port: Number(port === '' ? 443 : port),
    servername: hostname,
    rejectUnauthorized: false,
  })
  return await exchange(tls, (_, settle) => {
    tls.once('secureConnect', () => settle(describe(tls.getPeerCertificate())))
  })
}

function exchange(
  socket: Socket,
  ask: (
    socket: Socket,
    settle: (found: ServerCertificate | null) => void,
    fail: (error: Error) => void,
  ) => void,
): Promise<ServerCertificate | null> {
  return new Promise((resolve, reject) => {
    const end = (work: () => void) => {
      socket.setTimeout(0)
      socket.destroy()
      work()
    }
    const fail = (error: Error) => end(() => reject(error))
    socket.setTimeout(TIMEOUT_MS, () => fail(new Error('the server did not show a certificate in time')))
    socket.on('error', fail)
    ask(socket, (found) => end(() => resolve(found)), fail)
  })
}

function describe({ subject, valid_to: end, subjectaltname }: PeerCertificate): ServerCertificate | null {
  const validTo = new Date(end)
  if (Number.isNaN(validTo.getTime())) return null
  const name = subject?.CN ?? subjectaltname?.split(', ')[0] ?? 'unnamed'
  return { name: Array.isArray(name) ? (name[0] ?? 'unnamed') : name, validTo }
}
