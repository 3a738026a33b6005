import { createServer } from 'node:net'
import { AkashiError } from '../../foundation/index.ts'

export const LOOPBACK = '127.0.0.1'

/** Checks that `port` of loopback can be listened on; 0 gives a free one. */
export async function choosePort(port: number): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (cause) => reject(portError(port, cause)))
    server.listen({ host: LOOPBACK, port, exclusive: true }, () => {
      const address = server.address()
      const chosen = typeof address === 'object' && address !== null ? address.port : port
      server.close(() => resolve(chosen))
    })
  })
}

export function portError(port: number, cause?: unknown): AkashiError {
  const code = cause instanceof Error && 'code' in cause ? cause.code : 'EADDRINUSE'
  if (code === 'EADDRINUSE') {
    return new AkashiError('conflict', `port ${port} on ${LOOPBACK} is taken`, {
      hint: 'choose another port, or stop the program that listens there',
      detail: { port },
      cause,
    })
  }
  return new AkashiError('unavailable', `cannot listen on port ${port} of ${LOOPBACK}`, {
    hint: 'ports below 1024 need root; choose a higher one',
    detail: { port, code },
    cause,
  })
}
