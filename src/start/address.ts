import { once } from 'node:events'
import { createServer } from 'node:net'
import { AkashiError, errno } from '../foundation/index.ts'

export interface Address {
  readonly host: string
  /** 0 for any free one. */
  readonly port: number
}

/**
 * Checks the address before anything is created or started that would have to be undone. Another program may
 * still take it before Akashi listens on it.
 * @throws conflict if it is in use; forbidden; invalid_config if it is no address of this machine
 */
export async function requireFreeAddress({ host, port }: Address): Promise<void> {
  const server = createServer()
  try {
    server.listen({ host, port, exclusive: true })
    await once(server, 'listening')
  } catch (error) {
    throw listenError(error, host, port)
  } finally {
    if (server.listening) {
      server.close()
      await once(server, 'close')
    }
  }
}

export function listenError(error: unknown, host: string, port: number): unknown {
  const options = { hint: 'choose another --port (0 for any free one) or --host', cause: error }
  switch (errno(error)) {
    case 'EADDRINUSE':
      return new AkashiError('conflict', `${host}:${port} is in use by another program`, options)
    case 'EACCES':
      return new AkashiError('forbidden', `this account may not listen on ${host}:${port}`, options)
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new AkashiError('invalid_config', `${host} is not an address of this machine`, options)
    default:
      return error
  }
}
