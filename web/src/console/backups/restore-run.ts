import type { BodyOf, ResponseOf } from '@akashi/contract'
import { call } from '../../api/index.ts'

/** Milliseconds between two requests for the progress of a restore. */
const LOOK_MS = 1_000

export type RestoreRun = ResponseOf<'GET /v1/restores/{id}'>
export type Restored = NonNullable<RestoreRun['result']>

/** The restore was cancelled, or failed for the reason in the message. */
export class RestoreEnded extends Error {
  override readonly name = 'RestoreEnded'
}

/**
 * Begins a restore and waits for what it brings.
 *
 * @throws RestoreEnded when it brought nothing
 */
export async function restoreTable(
  body: BodyOf<'POST /v1/restores'>,
  onProgress: (run: RestoreRun) => void,
): Promise<Restored> {
  const { id } = await call('POST /v1/restores', { body })
  for (;;) {
    const run = await call('GET /v1/restores/{id}', { params: { id } })
    onProgress(run)
    if (run.state !== 'running') {
      if (run.result !== null) return run.result
      throw new RestoreEnded(run.message ?? run.state)
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
}
