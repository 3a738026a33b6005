import { contextSettings } from '@akashi/client'
import pg from 'pg'
import { AkashiError } from '../foundation/index.ts'
import { watchAbort } from './abort.ts'
import type { Actor } from './actor.ts'
import type { Client } from './client.ts'
import type { ContextSigner } from './context-signer.ts'
import { contextText, identify } from './identify.ts'
import { IDLE_IN_TRANSACTION_MS } from './limits.ts'
import { pinnedSettings, pinText, setText } from './pins.ts'
import { type DatabaseRole, roleName } from './role.ts'
import { ClientSession, execute, sessionEnded } from './session.ts'
import { toAkashiError } from './sqlstate.ts'
import type { Session, TransactionOptions } from './types.ts'

/** What all transactions of a pool share. */
export interface TransactionEnvironment {
  readonly role: DatabaseRole
  readonly signer: ContextSigner
  readonly statementTimeoutMs: number
}

/**
 * One statement sets everything for the transaction only, which also makes it work through a pooler. Values are
 * parameters; the names are constants. The role is set even when the login is the role itself, so that
 * privileges never depend on the login.
 */
const prepareTransaction = (role: DatabaseRole): string =>
  `select ${[
    pinText(
      [...pinnedSettings, ['idle_in_transaction_session_timeout', String(IDLE_IN_TRANSACTION_MS)]],
      true,
    ),
    contextText,
    setText('statement_timeout', `$${contextSettings.length + 1}`, true),
    setText('role', `'${roleName(role)}'`, true),
  ].join(', ')}`

/**
 * Runs `work` in one transaction on `client`: commits when it resolves, else rolls back. Afterwards the
 * connection may be used again only when {@link isReusable} says so.
 */
export async function runTransaction<T>(
  client: Client,
  environment: TransactionEnvironment,
  actor: Actor,
  work: (session: Session) => Promise<T>,
  options: TransactionOptions,
): Promise<T> {
  const timeoutMs = options.timeoutMs ?? environment.statementTimeoutMs
  const session = new ClientSession(client, timeoutMs)
  const abort = watchAbort(client, session, options.signal)
  try {
    const result = await Promise.race([
      abort.aborted,
      begin(client, session, environment, actor, options, timeoutMs).then(() => work(session)),
    ])
    await session.settled()
    abort.stop()
    session.close(sessionEnded())
    await commit(client, session, timeoutMs)
    return result
  } catch (error) {
    abort.stop()
    session.close(sessionEnded())
    await abort.delivered()
    await rollback(client, session, timeoutMs)
    throw session.translate(error)
  }
}

/** Whether a connection is idle between transactions, so that the pool may reuse it. */
export function isReusable(client: Client): boolean {
  return client.getTransactionStatus() === 'I' && !client.connection.stream.destroyed
}

async function begin(
  client: Client,
  session: ClientSession,
  environment: TransactionEnvironment,
  actor: Actor,
  { isolation = 'read committed', readOnly = false }: TransactionOptions,
  timeoutMs: number,
): Promise<void> {
  if (isolation !== 'read committed' && isolation !== 'repeatable read' && isolation !== 'serializable') {
    throw new AkashiError('internal', 'there is no such isolation level')
  }
  const { signer, role } = environment
  const mode = readOnly ? 'read only' : 'read write'
  await identify(
    client,
    session,
    signer,
    actor,
    timeoutMs,
    (values) => ({ text: prepareTransaction(role), values: [...values, String(timeoutMs)] }),
    [{ text: `begin isolation level ${isolation} ${mode}`, values: [] }],
  )
}

async function commit(client: Client, session: ClientSession, timeoutMs: number): Promise<void> {
  if (client.connection.stream.destroyed) {
    throw (
      session.firstError ?? new AkashiError('unavailable', 'the connection was lost', { hint: 'try again' })
    )
  }
  if (client.getTransactionStatus() === 'I' || session.copying) {
    throw new AkashiError('internal', 'the work ended its own transaction', {
      hint: 'leave commit and rollback to transaction()',
    })
  }
  const { command } = await sendCommit(client, timeoutMs)
  if (command !== 'COMMIT') {
    // After a failed statement, COMMIT reports ROLLBACK without an error; the caller must see a failure.
    throw session.firstError ?? new AkashiError('internal', 'a statement of the transaction failed')
  }
}

async function sendCommit(client: Client, timeoutMs: number): Promise<pg.QueryResult> {
  try {
    return await execute(client, 'commit', [], timeoutMs)
  } catch (error) {
    if (error instanceof pg.DatabaseError && error.severity === 'ERROR') {
      throw toAkashiError(error)
    }
    throw new AkashiError('unavailable', 'the connection was lost while committing', {
      hint: 'it may or may not have been committed: check before repeating it',
      detail: { committed: 'unknown' },
      cause: toAkashiError(error),
    })
  }
}

/** Leaves the connection reusable, or visibly not ({@link isReusable}). */
async function rollback(client: Client, session: ClientSession, timeoutMs: number): Promise<void> {
  if (session.copying) {
    client.connection.stream.destroy()
    return
  }
  await session.settled()
  if (client.connection.stream.destroyed) {
    return
  }
  // Sent even if no transaction seems open: after an error, the driver learns the state only a moment later.
  try {
    await execute(client, 'rollback', [], timeoutMs)
  } catch {
    client.connection.stream.destroy()
  }
}
