/** What witnesses have cosigned of this installation's logs, asked of themselves. */
import { AkashiError } from '../../../foundation/index.ts'
import { parseNote } from '../../../keys/index.ts'
import type { Actor, Database } from '../../../postgres/index.ts'
import { parseCheckpoint } from '../checkpoint.ts'
import { readEpochs } from '../epoch/link.ts'
import { logs } from '../logs.ts'
import { readHeads } from '../store.ts'
import { type WitnessAddress, witnessedNote } from './submit.ts'

/** What one witness said of one origin. */
export interface Asked {
  readonly witness: string
  readonly log: string
  readonly origin: string
  /** Its latest checkpoint with its cosignature; null when it has none, or did not say. */
  readonly note: string | null
  /** Why nothing is known: it is away, or this Node.js cannot check what it signs. */
  readonly error: AkashiError | null
}

/** Codes of errors that say nothing about the log. */
const UNKNOWN = ['timeout', 'unavailable', 'invalid_input', 'invalid_config', 'unsupported']

/**
 * Asks every witness for every origin of every log: those that the database knows, and `pinned` ones.
 *
 * @throws AkashiError integrity when one returns a checkpoint that it did not cosign
 */
export async function askWitnesses(
  database: Database,
  actor: Actor,
  witnesses: readonly WitnessAddress[],
  pinned: readonly string[] = [],
  options: { readonly signal?: AbortSignal } = {},
): Promise<Asked[]> {
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
  const asked = witnesses.map(async (witness) => {
    const answers: Asked[] = []
    let away: AkashiError | null = null
    for (const { log, origin } of origins) {
      const about = { witness: witness.key.name, log, origin }
      // One that is away is waited for once.
      if (away !== null) answers.push({ ...about, note: null, error: away })
      else {
        const answer = await ask(witness, origin, options)
        if (answer.error?.code === 'timeout' || answer.error?.code === 'unavailable') away = answer.error
        answers.push({ ...about, ...answer })
      }
    }
    return answers
  })
  return (await Promise.all(asked)).flat()
}

async function ask(
  witness: WitnessAddress,
  origin: string,
  options: { readonly signal?: AbortSignal },
): Promise<Pick<Asked, 'note' | 'error'>> {
  try {
    const note = await witnessedNote(witness, origin, options)
    if (note !== null) parseCheckpoint(parseNote(note).text)
    return { note, error: null }
  } catch (error) {
    if (error instanceof AkashiError && UNKNOWN.includes(error.code)) return { note: null, error }
    throw error
  }
}
