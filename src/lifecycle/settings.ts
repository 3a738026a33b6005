/** Settings stored in the database, which apply to all processes. */
import { AkashiError, nearest } from '../foundation/index.ts'
import type { Actor, Database } from '../postgres/index.ts'

/** Set when the ledger was created; part of the name of its logs. */
const ORIGIN = 'ledger.origin'

export interface DatabaseSetting {
  /** `area.name`, such as `backup.retention_days` */
  readonly key: string
  /** A number, text, boolean or list of texts. */
  readonly value: unknown
  /** The accepted values, as the end of a sentence "must be …". */
  readonly accepts: string
  readonly description: string
  /** RFC 3339 */
  readonly updatedAt: string
  readonly lastModifiedBy: string | null
}

const columns =
  'key, value, accepts, description, updated_at as "updatedAt", last_modified_by as "lastModifiedBy"'

/** The region where the data must stay. */
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

/** All settings, ordered by key. */
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
 * Changes a setting; recorded in the audit trail.
 * @param text a number, true or false, a text, or a comma-separated list
 * @throws AkashiError not_found; invalid_input for a value that the setting does not accept
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
    throw new AkashiError('not_found', `setting not found: ${key}`, {
      hint: meant === undefined ? 'list them with akashi settings list' : `did you mean ${meant}?`,
    })
  }
  if (key === ORIGIN) {
    throw new AkashiError('conflict', `${ORIGIN} cannot be changed`, {
      hint: 'it is part of every signed checkpoint',
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

/** Parses the text as the type of the current value; the database validates it. */
function parse(present: unknown, text: string): unknown {
  if (typeof present === 'number')
    return text.trim() === '' || Number.isNaN(Number(text)) ? text : Number(text)
  if (typeof present === 'boolean') return text === 'true' || text === 'false' ? text === 'true' : text
  if (!Array.isArray(present)) return text
  return text === '' ? [] : text.split(',').map((each) => each.trim())
}
