export type {
  AccessToRecord as Access,
  ActionToRecord as Action,
  EventToRecord as SecurityEvent,
  FieldChange,
  RecordKey,
  RecordState as RecordAsOf,
  RecordVersion,
  TrailPage as Page,
  TrailRow,
  TrailSearch as Search,
} from '@akashi/contract/trail'
export { currentActor, withActor } from './actor.ts'
export { addressOf } from './address.ts'
export { ContextError } from './error.ts'
export type { Executor } from './executor.ts'
export { type Actor, actorFields } from './fields.ts'
export { type ContextKey, parseContextKey } from './key.ts'
export { recordAccess, recordAction, recordEvent } from './record.ts'
export { CONTEXT_LIFETIME_S, contextSettings, type ServerView, signContext } from './sign.ts'
export { traceIdOf } from './trace.ts'
export { asOf, history, search } from './trail/read.ts'
