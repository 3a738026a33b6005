import type { SshdEventType } from './kinds.ts'

/** What one message of sshd says, as it says it. */
export interface SshdFacts {
  readonly type: SshdEventType
  readonly user?: string | undefined
  /** An address or, where sshd or PAM wrote one, a host name. */
  readonly source?: string | undefined
  readonly port?: string | undefined
  readonly details?: Readonly<Record<string, unknown>> | undefined
}

/** The facts of a message; a string says why it is no event; null means that the rule does not know it. */
export type SshdRule = (message: string) => SshdFacts | string | null
