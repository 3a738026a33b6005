import type { TFunction } from 'i18next'
import { en } from '../i18n/en.ts'
import type { TrailRow } from './trail-row.ts'

type Thing = keyof typeof en.record.things

function isThing(name: string): name is Thing {
  return name in en.record.things
}

/** What the rows of a table are, in the reader's language; a table of an application goes by its own name. */
export function nameOfTable(t: TFunction, { schema, table }: TrailRow): string {
  const name = `${schema ?? ''}_${table ?? ''}`
  return isThing(name) ? t(`record.things.${name}`) : `${schema ?? ''}.${table ?? ''}`
}
