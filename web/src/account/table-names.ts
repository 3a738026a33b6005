import i18next, { type TFunction } from 'i18next'
import type { en } from '../i18n/en.ts'
import type { TrailRow } from './trail-row.ts'

type Thing = keyof typeof en.activity.things

/** The schemas of Akashi begin with this; an application may have a table of the same name in another. */
const PREFIX = 'akashi_'

function isThing(name: string): name is Thing {
  return i18next.exists(`activity.things.${name}`)
}

/** The name of a table's rows in the reader's language; tables of applications have only their own name. */
export function nameOfTable(t: TFunction, { schema, table }: TrailRow): string {
  const full = `${schema ?? ''}.${table ?? ''}`
  if (schema?.startsWith(PREFIX) !== true) return full
  const name = `${schema.slice(PREFIX.length)}_${table ?? ''}`
  return isThing(name) ? t(`activity.things.${name}`) : full
}
