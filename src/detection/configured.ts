/** Rules and calendar from the settings of the installation. */
import { access, constants } from 'node:fs/promises'
import { listSettings } from '../lifecycle/index.ts'
import type { Actor, Database } from '../postgres/index.ts'
import { type Calendar, calendarOf } from './calendar.ts'
import { OWN_RULES } from './pack.ts'
import { cachedRuleFolders } from './pack-cache.ts'
import { type Responses, responsesOf } from './respond.ts'
import type { Overrides, Parsed } from './rule/parse.ts'

export interface Configured extends Parsed {
  readonly calendar: Calendar
  readonly responses: Responses
  readonly overrides: Overrides
  readonly timeZone: string
  /** Local dates. */
  readonly holidays: readonly string[]
  /** Noise budget: findings of one rule per day that are not too many. */
  readonly noiseBudget: number
  /** The same for single rules, by name or id. */
  readonly noiseBudgets: ReadonlyMap<string, number>
}

/** Our pack, the folders of `detection.folders` and further ones, with the thresholds of `detection.rules`. */
export async function configuredRules(
  database: Database,
  actor: Actor,
  folders: readonly string[] = [],
): Promise<Configured> {
  const settings = new Map((await listSettings(database, actor)).map(({ key, value }) => [key, value]))
  const overrides = overridesOf(textsOf(settings.get('detection.rules')))
  const zone = settings.get('organisation.time_zone')
  const timeZone = typeof zone === 'string' ? zone : 'UTC'
  const holidays = textsOf(settings.get('organisation.holidays'))
  const named = textsOf(settings.get('detection.folders'))
  const readable = await Promise.all(named.map((folder) => isReadable(folder)))
  const own = named.filter((_, at) => readable[at] === true)
  const { rules, refused } = await cachedRuleFolders([OWN_RULES, ...own, ...folders], overrides)
  return {
    rules,
    // A folder that is not mounted does not prevent the use of other rules.
    refused: [
      ...refused,
      ...named
        .filter((folder) => !own.includes(folder))
        .map((file) => ({ file, line: 1, reason: 'the folder cannot be read' })),
    ],
    responses: responsesOf(
      textsOf(settings.get('detection.responses')),
      settings.get('detection.responses_act') === true,
    ),
    calendar: calendarOf(timeZone, holidays),
    overrides,
    timeZone,
    holidays,
    noiseBudget: Number(settings.get('detection.noise_budget')),
    noiseBudgets: new Map(
      textsOf(settings.get('detection.noise_budgets')).map((text) => {
        const [name = '', budget = ''] = text.split('=')
        return [name, Number(budget)]
      }),
    ),
  }
}

async function isReadable(folder: string): Promise<boolean> {
  return await access(folder, constants.R_OK | constants.X_OK).then(
    () => true,
    () => false,
  )
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : []
}

/** `password_spraying=20/30m`, `first_agent_of_person=off`. */
export function overridesOf(texts: readonly string[]): Overrides {
  return Object.fromEntries(
    texts.map((text) => {
      const [name = '', value = ''] = text.split('=')
      if (value === 'off') return [name, { off: true }]
      const [threshold, timespan] = value.split('/')
      return [name, { threshold: Number(threshold), ...(timespan === undefined ? {} : { timespan }) }]
    }),
  )
}
