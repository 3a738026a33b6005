import type { AddressInfo } from 'node:net'
import { AkashiError, errno, type Logger } from '../foundation/index.ts'
import { buildApp } from '../http/index.ts'
import type { Keyring } from '../keys/index.ts'
import type { ObjectStore } from '../object-store/index.ts'
import { openMetrics, threadState } from '../operations/index.ts'
import { anonymous, type Database } from '../postgres/index.ts'
import { type BootstrapKey, openBootstrapKey } from './bootstrap-key.ts'
import type { Connections } from './connections.ts'
import type { Settings } from './settings.ts'

export interface NodeParts {
  readonly settings: Settings
  readonly version: string
  readonly log: Logger
  readonly connections: Connections
  readonly keyring: Keyring
  /** Of the role `worker`: reads what the page and the metrics show. */
  readonly database: Database
  readonly store: ObjectStore
}

export interface Ready {
  readonly url: string
  /** There on the first start only. */
  readonly bootstrapKey: string | undefined
}

/**
 * Serves HTTP until `cleanup` is disposed. Call `announce` once all of the process serves: until then a key
 * that was made now counts as shown to nobody, and is forgotten.
 */
export async function openNode(
  parts: NodeParts,
  cleanup: AsyncDisposableStack,
): Promise<{ readonly url: string; announce(onReady: (ready: Ready) => void): void }> {
  const { settings, connections, keyring, ...rest } = parts
  const trail = connections.open('security_admin', { poolSize: settings.poolSize })
  cleanup.defer(() => trail.close())
  const contextKey = await keyring.ensure('context')
  const app = connections.open('app', {
    poolSize: settings.poolSize,
    contextKey: { id: contextKey.id, secret: await keyring.secret(contextKey.id) },
  })
  cleanup.defer(() => app.close())
  const bootstrapKey = await openBootstrapKey(settings.data)
  let shown = false
  cleanup.defer(() => (shown ? undefined : bootstrapKey.discard()))
  const http = await serveHttp({
    ...rest,
    host: settings.host,
    port: settings.port,
    trail,
    app,
    bootstrapKey,
  })
  cleanup.defer(() => http.close())
  return {
    url: http.url,
    announce: (onReady) => {
      onReady({ url: http.url, bootstrapKey: bootstrapKey.created })
      shown = true
    },
  }
}

interface HttpParts {
  readonly host: string
  readonly port: number
  readonly version: string
  readonly log: Logger
  /** Reads what the page and the metrics show. */
  readonly database: Database
  /** Of the role `security_admin`: reads the trail and the ledger. */
  readonly trail: Database
  /** Of the role `app`: what users do. */
  readonly app: Database
  readonly store: ObjectStore
  readonly bootstrapKey: BootstrapKey
}

interface HttpServer {
  readonly url: string
  close(): Promise<void>
}

/** Serves HTTP until it is closed; requests under way may finish. */
async function serveHttp(parts: HttpParts): Promise<HttpServer> {
  const { host, port, version, log, database, trail, store, bootstrapKey } = parts
  const http = buildApp({
    version,
    log,
    trail,
    app: parts.app,
    metrics: openMetrics(() => threadState(database)),
    bootstrapKey: (presented) => bootstrapKey.matches(presented),
    threadState: (signal) => threadState(database, signal),
    readiness: async (signal) => [
      await state('database', () =>
        database.transaction(anonymous, (session) => session.query('select 1'), { signal }),
      ),
      await state('object store', () => store.head('checkpoints/ready')),
    ],
  })
  try {
    await http.listen({ host, port })
  } catch (error) {
    await http.close()
    throw listenError(error, host, port)
  }
  const { port: bound } = http.server.address() as AddressInfo
  return { url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`, close: () => http.close() }
}

function listenError(error: unknown, host: string, port: number): unknown {
  const options = { hint: 'choose another with --port (0 takes any free one) or --host', cause: error }
  switch (errno(error)) {
    case 'EADDRINUSE':
      return new AkashiError('conflict', `${host}:${port} is taken by another program`, options)
    case 'EACCES':
      return new AkashiError('forbidden', `this account may not serve at ${host}:${port}`, options)
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new AkashiError('invalid_config', `${host} is no address of this machine`, options)
    default:
      return error
  }
}

async function state(
  name: string,
  check: () => Promise<unknown>,
): Promise<{ name: string; ok: boolean; detail: string }> {
  try {
    await check()
    return { name, ok: true, detail: 'answers' }
  } catch (error) {
    return { name, ok: false, detail: error instanceof Error ? error.message : 'does not answer' }
  }
}
