import type { Clock } from '../foundation/index.ts'
import type { Keyring } from '../keys/index.ts'
import { anonymous, type Database } from '../postgres/index.ts'

const DAY_MS = 86_400_000
const settings = {
  wrapping: 'keys.wrapping.rotation_days',
  'blind-index': 'keys.blind_index.rotation_days',
} as const

export interface KeyAge {
  readonly purpose: keyof typeof settings
  readonly keyId: string
  readonly ageDays: number
  /** Days after which it is rotated; 0 is never by itself. */
  readonly limitDays: number
  /** A rotation was begun and not ended. */
  readonly unfinished: boolean
}

/** How old the keys are that are rotated by the timetable, and how old they may be. */
export async function keyAges(parts: {
  readonly database: Database
  readonly keyring: Keyring
  readonly clock: Clock
}): Promise<readonly KeyAge[]> {
  const { database, keyring, clock } = parts
  const limits = await database.transaction(anonymous, async (session) => {
    const { rows } = await session.query<{ key: string; days: number }>(
      "select key, (value #>> '{}')::float8 as days from lifecycle.settings where key = any ($1)",
      [Object.values(settings)],
    )
    return new Map(rows.map(({ key, days }) => [key, days]))
  })
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
      limitDays: limits.get(settings[purpose]) ?? 0,
      unfinished: unfinished[purpose],
    }
  }
  return [await age('wrapping'), await age('blind-index')]
}
