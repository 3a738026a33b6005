/** Queries witnesses for the checkpoints of this installation's logs that they cosigned. */
import { AkashiError } from '../../../foundation/index.ts'
import { parseNote } from '../../../keys/index.ts'
import type { Actor, Database } from '../../../postgres/index.ts'
import { parseCheckpoint } from '../checkpoint.ts'
import { readEpochs } from '../epoch/link.ts'
import { logs } from '../logs.ts'
import { readHeads } from '../store.ts'
import { type WitnessAddress, witnessedNote } from './submit.ts'

/** The response of one witness for one origin. */
export interface WitnessResponse {
  readonly witness: string
  readonly log: string
  readonly origin: string
  /** Its latest checkpoint with its cosignature; null when it has none, or did not respond. */
  readonly note: string | null
  /** Why there is no response: it is unreachable, or this Node.js cannot check its signatures. */
  readonly error: AkashiError | null
}

/** Error codes that are not a finding about the log. */
const UNKNOWN = ['timeout', 'unavailable', 'invalid_input', 'invalid_config', 'unsupported']

/**
 * Queries every witness for every origin of every log: those in the database, and `pinned` ones.
 *
 * @throws AkashiError integrity when one returns a checkpoint that it did not cosign
 */
export async function askWitnesses(
  database: Database,
  actor: Actor,
  witnesses: readonly WitnessAddress[],
  pinned: readonly string[] = [],
  options: { readonly signal?: AbortSignal } = {},
): Promise<WitnessResponse[]> {
  const { heads, epochs } = await database.transaction(
    actor,
    async (session) => ({ heads: await readHeads(session), epochs: await readEpochs(session) }),
    { readOnly: true },
  )
  const origins = logs.flatMap(({ log }) => {
    const own = [
      ...heads.filter((head) => head.log === log && head.note !== null).map(({ origin }) => origin),
      ...epochs.filter((epoch) => epoch.log === log).map(({ previousOrigin }) => previousOrigin),
      ...pinned.filter((origin) => origin.endsWith(`/${log}`)),
    ]
    return [...new Set(own)].map((origin) => ({ log, origin }))
  })
  const queries = witnesses.map(async (witness) => {
    const responses: WitnessResponse[] = []
    let unreachable: AkashiError | null = null
    for (const { log, origin } of origins) {
      const about = { witness: witness.key.name, log, origin }
      // Do not wait for an unreachable witness again.
      if (unreachable !== null) responses.push({ ...about, note: null, error: unreachable })
      else {
        const response = await ask(witness, origin, options)
        if (response.error?.code === 'timeout' || response.error?.code === 'unavailable')
          unreachable = response.error
        responses.push({ ...about, ...response })
      }
    }
    return responses
  })
  return (await Promise.all(queries)).flat()
}

async function ask(
  witness: WitnessAddress,
  origin: string,
  options: { readonly signal?: AbortSignal },
): Promise<Pick<WitnessResponse, 'note' | 'error'>> {
  try {
    const note = await witnessedNote(witness, origin, options)
    if (note !== null) parseCheckpoint(parseNote(note).text)
    return { note, error: null }
  } catch (error) {
    if (error instanceof AkashiError && UNKNOWN.includes(error.code)) return { note: null, error }
    throw error
  }
}
