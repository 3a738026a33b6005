import type { Clock } from '../foundation/index.ts'
import type { Keyring } from '../keys/index.ts'
import type { Actor, Database } from '../postgres/index.ts'

const DAY_MS = 86_400_000

export interface KeyAge {
  readonly purpose: 'wrapping' | 'blind-index'
  readonly keyId: string
  readonly ageDays: number
  /** Days after which it is rotated; 0 means never automatically. */
  readonly limitDays: number
  /** A rotation was started and not completed. */
  readonly unfinished: boolean
}

/** The age of the keys that a scheduled job rotates, and its limit. */
export async function keyAges(parts: {
  readonly database: Database
  readonly keyring: Keyring
  readonly clock: Clock
  readonly actor: Actor
}): Promise<readonly KeyAge[]> {
  const { database, keyring, clock, actor } = parts
  const limits = await database.transaction(
    actor,
    async (session) => {
      const { rows } = await session.query<Record<KeyAge['purpose'], number>>(
        `select akashi_lifecycle.setting('keys.wrapping.rotation_days')::float8 as wrapping,
              akashi_lifecycle.setting('keys.blind_index.rotation_days')::float8 as "blind-index"`,
      )
      return rows[0]
    },
    { readOnly: true },
  )
  const unfinished = {
    wrapping: await keyring.isRotating(),
    'blind-index': (await keyring.indexKeys()).former !== null,
  }
  const age = async (purpose: KeyAge['purpose']): Promise<KeyAge> => {
    const { id, createdAt } = await keyring.ensure(purpose)
    return {
      purpose,
      keyId: id,
      ageDays: (clock.now().getTime() - createdAt.getTime()) / DAY_MS,
      limitDays: limits?.[purpose] ?? 0,
      unfinished: unfinished[purpose],
    }
  }
  return [await age('wrapping'), await age('blind-index')]
}
