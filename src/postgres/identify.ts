import { contextSettings } from '@akashi/client'
import type { Actor } from './actor.ts'
import type { Client } from './client.ts'
import type { ContextSigner } from './context-signer.ts'
import { setText } from './pins.ts'
import { PipelinedQuery, type Statement } from './pipelined-query.ts'
import { type ClientSession, withDeadline } from './session.ts'

/** `set_config(…), …` of the context, for parameters from $1 on. */
export const contextText: string = contextSettings
  .map((name, index) => setText(name, `$${index + 1}`, true))
  .join(', ')

/** Runs with the role and the settings of the statement before. One text, since one column is read of each row. */
const acceptContext: Statement = {
  text: `select (extract(epoch from clock_timestamp()) * 1000)::bigint || ' '
    || case when akashi_auth.accept_context() is null then '' else 'accepted' end || ' ' || akashi_auth.context_audience()`,
  values: [],
}

/**
 * Gives the open transaction its actor, in one round trip as a rule.
 *
 * @param before statements that are sent ahead, in the same round trip
 * @param prepare the statement that sets the context ({@link contextText}), for its values
 */
export async function identify(
  client: Client,
  session: ClientSession,
  signer: ContextSigner,
  actor: Actor,
  timeoutMs: number,
  prepare: (values: string[]) => Statement,
  before: readonly Statement[] = [],
): Promise<void> {
  const send = (statements: readonly Statement[]) =>
    session.submit(() =>
      withDeadline(client, timeoutMs, () => client.query(new PipelinedQuery(statements)).result),
    )
  const attempt = async (ahead: readonly Statement[]): Promise<boolean> => {
    const statements = [...ahead, prepare(signer.values(actor))]
    if (!signer.signs) {
      await send(statements)
      return true
    }
    const told = (await send([...statements, acceptContext])).at(-1) ?? ''
    const [, time, accepted, audience = ''] = /^(\d+) (\w*) (.*)$/su.exec(told) ?? []
    signer.observe(Number(time), audience)
    return accepted === 'accepted'
  }
  // Signed again with the time of the server: in the first transaction of a pool, at another server than
  // before, if the clocks differ by more than the lifetime of a signature, if a pooler's queue took that
  // long, or if the key was replaced.
  if ((await attempt(before)) || (await attempt([]))) return
  await signer.renew()
  await attempt([])
}
