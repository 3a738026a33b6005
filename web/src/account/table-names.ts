import i18next, { type TFunction } from 'i18next'
import type { en } from '../i18n/en.ts'
import type { TrailRow } from './trail-row.ts'

type Thing = keyof typeof en.activity.things

function isThing(name: string): name is Thing {
  return i18next.exists(`activity.things.${name}`)
}

/** The name of a table's rows in the reader's language; tables of applications have only their own name. */
export function nameOfTable(t: TFunction, { schema, table }: TrailRow): string {
  const name = `${schema ?? ''}_${table ?? ''}`
  return isThing(name) ? t(`activity.things.${name}`) : `${schema ?? ''}.${table ?? ''}`
}
