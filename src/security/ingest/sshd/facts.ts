import type { SshdEventType } from './kinds.ts'

/** The facts of one sshd message, verbatim. */
export interface SshdFacts {
  readonly type: SshdEventType
  readonly user?: string | undefined
  /** An address, or a host name if sshd or PAM wrote one. */
  readonly source?: string | undefined
  readonly port?: string | undefined
  readonly details?: Readonly<Record<string, unknown>> | undefined
}

/** Returns the facts of a message, a string with the reason why it is not an event, or null if the rule does not apply. */
export type SshdRule = (message: string) => SshdFacts | string | null
