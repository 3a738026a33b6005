/** Short texts that several parts of the chat use. */
import type { Message, Person, Room } from '@akashi/contract'
import { currentLanguage } from '../../i18n/index.ts'
import type { ChatTexts } from '../locales/index.ts'
import { plainText } from '../model/markdown.ts'

export function nameOf(t: ChatTexts, person: Person | null | undefined): string {
  return person?.displayName ?? t('deletedUser')
}

export function roomName(t: ChatTexts, room: Room): string {
  if (room.type === 'direct') return nameOf(t, room.peer)
  if (room.type !== 'group') return room.name
  if (room.peers.length === 0) return t('deletedUser')
  return new Intl.ListFormat(currentLanguage(), { style: 'narrow', type: 'conjunction' }).format(
    peersOf(room).map(({ displayName }) => displayName),
  )
}

/** The other people of a group by name, so that its name is the same each time. */
export function peersOf({ peers }: Room): readonly Person[] {
  return peers.toSorted((one, other) => one.displayName.localeCompare(other.displayName, currentLanguage()))
}

/** Whether its members are fixed and it has no name of its own. */
export function isDirect(room: Pick<Room, 'type'>): boolean {
  return room.type === 'direct' || room.type === 'group'
}

/** A message in one line. */
export function previewOf(
  t: ChatTexts,
  message: Pick<Message, 'content' | 'isDeleted'> & { readonly type: string },
): string {
  if (message.isDeleted) return t('deletedMessage')
  if (message.content !== '') return plainText(message.content)
  if (message.type === 'text') return t('unreadable.erased')
  return message.type === 'image' ? t('imageText') : t('fileText')
}

/** 12:05 */
export function clock(time: string): string {
  return new Intl.DateTimeFormat(currentLanguage(), { timeStyle: 'short' }).format(new Date(time))
}

/** The time of today, otherwise the day. */
export function clockOrDay(time: string): string {
  const date = new Date(time)
  if (dayOf(time) === dayOf(new Date().toISOString())) return clock(time)
  const sameYear = date.getFullYear() === new Date().getFullYear()
  return new Intl.DateTimeFormat(currentLanguage(), {
    month: 'short',
    day: 'numeric',
    ...(sameYear ? {} : { year: 'numeric' }),
  }).format(date)
}

/** Saturday, November 21; 11月21日(土) */
export function longDay(time: string): string {
  const date = new Date(time)
  const sameYear = date.getFullYear() === new Date().getFullYear()
  return new Intl.DateTimeFormat(currentLanguage(), {
    weekday: currentLanguage() === 'ja' ? 'short' : 'long',
    month: 'long',
    day: 'numeric',
    ...(sameYear ? {} : { year: 'numeric' }),
  }).format(date)
}

/** The day in the reader's time zone. */
export function dayOf(time: string): string {
  const date = new Date(time)
  return `${date.getFullYear()}-${date.getMonth() + 1}-${date.getDate()}`
}

const steps = ['byte', 'kilobyte', 'megabyte'] as const

export function bytes(size: number): string {
  const step = size < 1_000 ? 0 : size < 1_000_000 ? 1 : 2
  return new Intl.NumberFormat(currentLanguage(), {
    style: 'unit',
    unit: steps[step] ?? 'byte',
    unitDisplay: 'short',
    maximumFractionDigits: step === 2 ? 1 : 0,
  }).format(size / 1_000 ** step)
}
