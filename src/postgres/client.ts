import pg from 'pg'
import { codecs } from './codecs.ts'
import { CONNECT_TIMEOUT_MS, KEEP_ALIVE_MS } from './limits.ts'
import { transportOf } from './tls.ts'

/** Issued by the server (or a pooler), so that another connection can cancel this one's statement. */
export interface BackendKey {
  readonly processId: number
  readonly secret: number
}

interface BackendKeyMessage {
  readonly processID: number
  readonly secretKey: number
}

/** A connection that remembers its cancel key. */
export class Client extends pg.Client {
  backendKey: BackendKey | undefined

  constructor(config?: string | pg.ClientConfig) {
    super(config)
    this.connection.on('backendKeyData', (message: BackendKeyMessage) => {
      this.backendKey = { processId: message.processID, secret: message.secretKey }
    })
  }
}

/** Uses no session state, so that the same settings work through a pooler in transaction mode. */
export function clientConfig(url: string, applicationName: string): pg.ClientConfig {
  return {
    ...transportOf(url),
    application_name: applicationName,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    types: codecs,
  }
}
