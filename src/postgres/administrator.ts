import { ContextSigner } from './context-signer.ts'
import { runDirect } from './direct.ts'
import type { DirectSession } from './types.ts'

export interface AdministratorOptions {
  /** An administrator's, directly to the server: session locks do not work through a pooler. */
  readonly url: string
  /** As pg_stat_activity shows it. */
  readonly applicationName: string
  readonly signal?: AbortSignal
}

/** Work of an administrator, with the rights of the login itself and no limit of time. */
export function asAdministrator<T>(
  { url, applicationName, signal }: AdministratorOptions,
  work: (session: DirectSession) => Promise<T>,
): Promise<T> {
  const environment = {
    role: 'owner',
    signer: new ContextSigner(undefined),
    statementTimeoutMs: 0,
  } as const
  return runDirect(url, applicationName, environment, work, signal === undefined ? {} : { signal })
}
