import net from 'node:net'
import tls from 'node:tls'
import type { Client } from './client.ts'
import { CANCEL_TIMEOUT_MS } from './limits.ts'

// Protocol messages without a type byte: length, then request code (PostgreSQL documentation, 53.7).
const SSL_REQUEST_CODE = 80877103
const CANCEL_REQUEST_CODE = 80877102

function request(code: number, ...rest: number[]): Buffer {
  const buffer = Buffer.alloc(8 + rest.length * 4)
  buffer.writeInt32BE(buffer.length, 0)
  buffer.writeInt32BE(code, 4)
  for (const [index, value] of rest.entries()) {
    buffer.writeInt32BE(value, 8 + index * 4)
  }
  return buffer
}

/**
 * Asks the server to cancel the running statement of `client`, over a second connection as the protocol
 * requires. Resolves when the server has closed that connection, which it does after delivering the request:
 * a request still in flight could hit the connection's next statement. Never rejects, since cancellation is
 * best effort; what counts is how the statement ends.
 *
 * @returns whether the request was certainly delivered
 */
export async function sendCancel(client: Client): Promise<boolean> {
  const key = client.backendKey
  if (key === undefined) {
    return false
  }
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = connect(client)
  const deadline = setTimeout(() => socket.destroy(), CANCEL_TIMEOUT_MS)
  const message = request(CANCEL_REQUEST_CODE, key.processId, key.secret)
  let sent = false
  const send = (stream: net.Socket) => {
    stream.on('error', () => resolve(false))
    stream.on('close', () => resolve(sent))
    stream.on('end', () => stream.end())
    stream.resume()
    stream.write(message, (error) => {
      sent = error === null || error === undefined
    })
  }
  socket.on('error', () => resolve(false))
  socket.on('close', () => resolve(sent))
  socket.once('connect', () => {
    if (!client.ssl) {
      send(socket)
      return
    }
    socket.write(request(SSL_REQUEST_CODE))
    socket.once('data', (answer) => {
      if (answer.toString('latin1') !== 'S') {
        socket.destroy()
        return
      }
      const secure = tls.connect(tlsOptions(client, socket))
      secure.once('secureConnect', () => send(secure))
      secure.on('error', () => resolve(false))
    })
  })
  try {
    return await promise
  } finally {
    clearTimeout(deadline)
    socket.destroy()
  }
}

/** Connects to the same address: a host name may resolve to several servers, and only one knows the key. */
function connect(client: Client): net.Socket {
  if (client.host.startsWith('/')) {
    return net.connect(`${client.host}/.s.PGSQL.${client.port}`)
  }
  const stream = client.connection.stream
  const address = stream instanceof net.Socket ? stream.remoteAddress : undefined
  return net.connect(client.port, address ?? client.host)
}

function tlsOptions(client: Client, socket: net.Socket): tls.ConnectionOptions {
  // Typed as a boolean by the driver, but holds TLS options when the URL or the configuration sets any.
  const options: unknown = client.ssl
  return {
    ...(typeof options === 'object' ? options : {}),
    socket,
    host: client.host,
    ...(net.isIP(client.host) === 0 ? { servername: client.host } : {}),
  }
}
