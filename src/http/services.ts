import type { FastifyBaseLogger } from 'fastify'
import type { Registry } from 'prom-client'
import type { Database } from '../postgres/index.ts'
import type { ThreadState } from './thread-state.ts'

export interface DependencyState {
  readonly name: string
  readonly ok: boolean
  /** One line for the operator; never a secret. */
  readonly detail: string
}

/** What the routes need from the rest of Akashi. Every wait ends when its signal is aborted. */
export interface Services {
  readonly version: string
  readonly log: FastifyBaseLogger
  readonly readiness: (signal: AbortSignal) => Promise<readonly DependencyState[]>
  readonly threadState: (signal: AbortSignal) => Promise<ThreadState>
  /** Reads the audit trail and the ledger, with the rights of whoever may read all of it. */
  readonly trail: Database
  /** Of the role `app`: row-level security decides what whoever asks finds. */
  readonly app: Database
  readonly metrics: Registry
  /** Compares in constant time. Guards /v1 until identity exists. */
  readonly bootstrapKey: (presented: string) => boolean
}
