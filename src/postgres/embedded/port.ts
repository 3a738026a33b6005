import { createServer } from 'node:net'
import { AkashiError } from '../../foundation/index.ts'
import { errno } from './files.ts'

export const LOOPBACK = '127.0.0.1'

/**
 * Checks that `port` is free on loopback; 0 chooses a free one.
 * @throws conflict when it is in use; unavailable when the system does not allow it
 */
export async function choosePort(port: number): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (cause) =>
      reject(errno(cause) === 'EADDRINUSE' ? portTaken(port, cause) : refused(port, cause)),
    )
    server.listen({ host: LOOPBACK, port, exclusive: true }, () => {
      const address = server.address()
      const chosen = typeof address === 'object' && address !== null ? address.port : port
      server.close(() => resolve(chosen))
    })
  })
}

export function portTaken(port: number, cause: unknown): AkashiError {
  return new AkashiError('conflict', `port ${port} of ${LOOPBACK} is in use`, {
    hint: 'choose another port, or stop the program that listens on it',
    detail: { port },
    cause,
  })
}

function refused(port: number, cause: Error): AkashiError {
  return new AkashiError('unavailable', `cannot listen on port ${port} of ${LOOPBACK}`, {
    hint: cause.message,
    detail: { port },
    cause,
  })
}
