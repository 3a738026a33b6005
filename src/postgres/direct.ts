import { Client, clientConfig } from './client.ts'
import { sendCancel } from './cancel.ts'
import { ClientSession, execute, sessionEnded } from './session.ts'
import { toAkashiError } from './sqlstate.ts'
import { abortError, runTransaction, type TransactionEnvironment } from './transaction.ts'
import type { DirectOptions, DirectSession } from './types.ts'

/** As in a transaction, but for the whole session: this connection is nobody else's. */
const pinSession = `
  select set_config('timezone', 'UTC', false), set_config('datestyle', 'ISO, YMD', false),
         set_config('intervalstyle', 'iso_8601', false), set_config('bytea_output', 'hex', false),
         set_config('statement_timeout', $1, false)`

/** Opens a connection to the server itself, runs `work` with it and closes it. */
export async function runDirect<T>(
  url: string,
  applicationName: string,
  environment: TransactionEnvironment,
  work: (session: DirectSession) => Promise<T>,
  options: DirectOptions,
): Promise<T> {
  const { signal } = options
  if (signal?.aborted === true) {
    throw abortError(signal)
  }
  const timeoutMs = options.timeoutMs ?? environment.statementTimeoutMs
  const client = new Client(clientConfig(url, applicationName))
  const lost = new AbortController()
  client.on('error', () => lost.abort())
  client.on('end', () => lost.abort())
  const session = new ClientSession(client, timeoutMs)
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  aborted.catch(() => undefined)
  let cancelling: Promise<unknown> = Promise.resolve()
  const onAbort = () => {
    session.close(abortError(signal))
    cancelling = session.busy ? sendCancel(client) : cancelling
    reject(abortError(signal))
  }
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    await client.connect().catch((error: unknown) => Promise.reject(toAkashiError(error)))
    await execute(client, pinSession, [String(timeoutMs)], timeoutMs)
    return await Promise.race([aborted, work(directSession(client, session, environment, lost.signal))])
  } catch (error) {
    throw session.translate(error)
  } finally {
    signal?.removeEventListener('abort', onAbort)
    session.close(sessionEnded())
    await cancelling
    await client.end().catch(() => undefined)
  }
}

function directSession(
  client: Client,
  session: ClientSession,
  environment: TransactionEnvironment,
  lost: AbortSignal,
): DirectSession {
  return {
    lost,
    query: (text, values) => session.query(text, values),
    stream: (text, values, batch) => session.stream(text, values, batch),
    copyFrom: (text) => session.copyFrom(text),
    copyTo: (text) => session.copyTo(text),
    transaction: (actor, work, options = {}) => runTransaction(client, environment, actor, work, options),
    listen: async (channel, onNotification) => {
      client.on('notification', (message) => {
        if (message.channel === channel) {
          onNotification(message.payload ?? '')
        }
      })
      await session.query(`listen ${client.escapeIdentifier(channel)}`)
    },
  }
}
