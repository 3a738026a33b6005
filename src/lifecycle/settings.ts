/** Settings of the database, as against those of a process: rows that every process sees at once. */
import { AkashiError, nearest } from '../foundation/index.ts'
import type { Actor, Database } from '../postgres/index.ts'

/** Named when the ledger began; its logs carry it ever since. */
const ORIGIN = 'ledger.origin'

export interface DatabaseSetting {
  /** `area.name`, such as `backup.retention_days` */
  readonly key: string
  /** A number, text, boolean or list of texts. */
  readonly value: unknown
  /** What it may be, completing "must be". */
  readonly accepts: string
  readonly description: string
  /** RFC 3339 */
  readonly updatedAt: string
  readonly lastModifiedBy: string | null
}

const columns =
  'key, value, accepts, description, updated_at as "updatedAt", last_modified_by as "lastModifiedBy"'

/** Region that data must stay in. */
export async function readDataResidency(database: Database, actor: Actor): Promise<string> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<{ region: string }>(
        `select akashi_lifecycle.setting('organisation.data_residency') #>> '{}' as region`,
      ),
    { readOnly: true },
  )
  return rows[0]?.region ?? ''
}

/** All of them, by key. */
export async function listSettings(database: Database, actor: Actor): Promise<DatabaseSetting[]> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<DatabaseSetting>(`select ${columns} from akashi_lifecycle.settings order by key`),
    { readOnly: true },
  )
  return rows
}

/**
 * Changes a setting, which the trail records.
 * @param text the value as people write it: a number, true or false, a text, or a list separated by commas
 * @throws AkashiError not_found, invalid_input for a value that its readers could not read
 */
export async function setSetting(
  database: Database,
  actor: Actor,
  key: string,
  text: string,
): Promise<DatabaseSetting> {
  const all = await listSettings(database, actor)
  const known = all.find((setting) => setting.key === key)
  if (known === undefined) {
    const meant = nearest(
      key,
      all.map((setting) => setting.key),
    )
    throw new AkashiError('not_found', `there is no setting ${key}`, {
      hint: meant === undefined ? 'akashi settings list shows them' : `did you mean ${meant}?`,
    })
  }
  if (key === ORIGIN) {
    throw new AkashiError('conflict', `${ORIGIN} is the name that the ledger began with`, {
      hint: 'it cannot change: every checkpoint carries it',
    })
  }
  const work = database.transaction(actor, (session) =>
    session.query<DatabaseSetting>(
      `update akashi_lifecycle.settings set value = $2::jsonb where key = $1 returning ${columns}`,
      [key, JSON.stringify(parse(known.value, text))],
    ),
  )
  const { rows } = await work.catch((error: unknown) => {
    if (!(error instanceof AkashiError) || error.code !== 'invalid_input') throw error
    throw new AkashiError('invalid_input', `${key} must be ${known.accepts}`, { cause: error })
  })
  return rows[0] ?? known
}

/** A value of the same type as the present one where the text is one; the database decides whether it fits. */
function parse(present: unknown, text: string): unknown {
  if (typeof present === 'number')
    return text.trim() === '' || Number.isNaN(Number(text)) ? text : Number(text)
  if (typeof present === 'boolean') return text === 'true' || text === 'false' ? text === 'true' : text
  if (!Array.isArray(present)) return text
  return text === '' ? [] : text.split(',').map((each) => each.trim())
}
