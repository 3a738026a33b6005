import {
  actorFields,
  type ContextKey as ClientContextKey,
  ContextError,
  type ServerView,
  signContext,
} from '@akashi/client'
import { AkashiError } from '../foundation/index.ts'
import { Actor } from './actor.ts'

/** Key that signs the request context; the database holds the same key in `akashi_auth.context_keys`. */
export interface ContextKey extends ClientContextKey {
  /** The key that took its place, or the same; called when the database no longer accepts this one. */
  readonly renew?: () => Promise<ContextKey>
}

/**
 * The value of each of `contextSettings`, empty where there is none.
 *
 * @throws AkashiError invalid_input when a field that says who acts does not fit, internal without an actor
 */
export function contextValues(actor: Actor, key: ContextKey | undefined, server: ServerView): string[] {
  if (!Actor.isActor(actor)) {
    throw new AkashiError('internal', 'a transaction was begun without an actor', {
      hint: 'pass person(), service(), operator(), system() or anonymous()',
    })
  }
  const { userId, sessionId, subject, tenantId, origin } = actor
  try {
    return signContext(actorFields({ ...origin, userId, sessionId, subject, tenantId }), key, server)
  } catch (error) {
    if (error instanceof ContextError)
      throw new AkashiError('invalid_input', error.summary, { hint: error.hint })
    throw error
  }
}
