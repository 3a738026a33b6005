import { abortError, watchAbort } from './abort.ts'
import { Client, clientConfig } from './client.ts'
import { contextText, identify } from './identify.ts'
import { CONNECT_TIMEOUT_MS } from './limits.ts'
import { requireRoles } from './membership.ts'
import { pinnedSettings, pinText, sessionDefaults, setText } from './pins.ts'
import { type DatabaseRole, roleName } from './role.ts'
import { ClientSession, execute, sessionEnded } from './session.ts'
import { toAkashiError } from './sqlstate.ts'
import { runTransaction, type TransactionEnvironment } from './transaction.ts'
import type { DirectOptions, DirectSession } from './types.ts'

/** As in a transaction, but for the whole session: the connection is not shared. */
const pinSession = `select ${pinText([...pinnedSettings, ...sessionDefaults], false)}, ${setText('statement_timeout', '$1', false)}`

/** Opens a direct connection to the server, runs `work` with it and closes it. */
export async function runDirect<T>(
  url: string,
  applicationName: string,
  environment: TransactionEnvironment,
  work: (session: DirectSession) => Promise<T>,
  options: DirectOptions,
): Promise<T> {
  const { signal } = options
  const timeoutMs = options.timeoutMs ?? environment.statementTimeoutMs
  const client = new Client(clientConfig(url, applicationName))
  const lost = new AbortController()
  client.on('error', () => lost.abort())
  client.on('end', () => lost.abort())
  const session = new ClientSession(client, timeoutMs)
  const abort = watchAbort(client, session, signal)
  try {
    await client.connect().catch((error: unknown) => Promise.reject(toAkashiError(error)))
    await execute(client, pinSession, [String(timeoutMs)], timeoutMs)
    await actAs(client, environment.role)
    if (signal?.aborted === true) {
      throw abortError(signal)
    }
    return await Promise.race([
      abort.aborted,
      work(directSession(client, session, environment, lost.signal, signal)),
    ])
  } catch (error) {
    throw session.translate(error)
  } finally {
    abort.stop()
    session.close(sessionEnded())
    await abort.delivered()
    await client.end().catch(() => undefined)
  }
}

/**
 * Sets the role for the session. An `owner` connection keeps the login's own rights outside transactions,
 * since akashi_owner may not create roles and databases or run migrations.
 */
async function actAs(client: Client, role: DatabaseRole): Promise<void> {
  if (role === 'owner') return
  await requireRoles(client, [role])
  await execute(client, `select ${setText('role', `'${roleName(role)}'`, false)}`, [], CONNECT_TIMEOUT_MS)
}

function directSession(
  client: Client,
  session: ClientSession,
  environment: TransactionEnvironment,
  lost: AbortSignal,
  signal: AbortSignal | undefined,
): DirectSession {
  return {
    lost,
    query: (text, values) => session.query(text, values),
    stream: (text, values, batch) => session.stream(text, values, batch),
    copyFrom: (text) => session.copyFrom(text),
    copyTo: (text) => session.copyTo(text),
    transaction: (actor, work, options = {}) => {
      const signals = [signal, options.signal].filter((each) => each !== undefined)
      return runTransaction(client, environment, actor, work, {
        ...options,
        signal: AbortSignal.any(signals),
      })
    },
    identify: (actor) =>
      identify(client, session, environment.signer, actor, environment.statementTimeoutMs, (values) => ({
        text: `select ${contextText}`,
        values,
      })),
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
