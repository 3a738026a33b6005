import { AsyncLocalStorage } from 'node:async_hooks'
import { type Actor, actorFields } from './fields.ts'

/** The actor as it is signed. Two with the same fields are the same. */
export interface CurrentActor {
  readonly actor: Actor
  readonly fields: readonly string[]
}

const storage = new AsyncLocalStorage<CurrentActor>()

/**
 * Runs `fn` on behalf of an actor: every transaction that begins inside, at any depth and after any `await`, carries
 * the signed context. An actor inside another replaces it.
 *
 * @throws ContextError when a field that says who acts does not fit
 */
export function withActor<T>(actor: Actor, fn: () => T): T {
  return storage.run({ actor: Object.freeze({ ...actor }), fields: actorFields(actor) }, fn)
}

/** The actor of the code that asks; undefined outside of {@link withActor}. */
export function currentActor(): Actor | undefined {
  return storage.getStore()?.actor
}

/** The same with its signed fields, for adapters. */
export function signedActor(): CurrentActor | undefined {
  return storage.getStore()
}

/**
 * Runs `fn` without an actor: what it leaves behind (a socket, a timer) must not act for the caller that
 * happened to come first.
 */
export function withoutActor<T>(fn: () => T): T {
  return storage.exit(fn)
}

export function sameActor(one: CurrentActor, other: CurrentActor): boolean {
  return one === other || one.fields.every((field, index) => field === other.fields[index])
}
