/** All emoji with their names in a language, loaded when the picker opens. */
import type { Language } from '../../i18n/index.ts'
import { fold } from './fold.ts'

/** An entry of the data, as far as it is used. */
interface Entry {
  readonly hexcode: string
  readonly unicode: string
  readonly label: string
  readonly group?: number
  readonly order?: number
  readonly tags?: readonly string[]
}

export interface Emoji {
  readonly emoji: string
  /** Its name in the reader's language. */
  readonly label: string
  /** Such as `thumbsup`, as people know it from elsewhere. */
  readonly shortcodes: readonly string[]
  readonly group: EmojiGroup
  /** What it is found by, folded. */
  readonly words: string
}

/** In the order in which they are shown. */
export const emojiGroups = [
  'smileys',
  'people',
  'animals',
  'food',
  'travel',
  'activities',
  'objects',
  'symbols',
  'flags',
] as const
export type EmojiGroup = (typeof emojiGroups)[number]

/** Numbers of the Unicode groups; 2 are skin tones and hair, which only combine with others. */
const groupOf: Readonly<Record<number, EmojiGroup>> = {
  0: 'smileys',
  1: 'people',
  3: 'animals',
  4: 'food',
  5: 'travel',
  6: 'activities',
  7: 'objects',
  8: 'symbols',
  9: 'flags',
}

export async function loadEmoji(language: Language): Promise<readonly Emoji[]> {
  const [{ default: own }, { default: english }, { default: codes }] = await Promise.all([
    language === 'ja' ? import('emojibase-data/ja/compact.json') : import('emojibase-data/en/compact.json'),
    import('emojibase-data/en/compact.json'),
    import('emojibase-data/en/shortcodes/github.json'),
  ])
  const shortcodes: Readonly<Record<string, string | readonly string[] | undefined>> = codes
  const englishNames = new Map((english as readonly Entry[]).map((one) => [one.hexcode, one]))
  return (own as readonly Entry[])
    .flatMap(({ unicode, label, tags, group, hexcode, order }) => {
      const named = group === undefined ? undefined : groupOf[group]
      if (named === undefined) return []
      const known = [shortcodes[hexcode] ?? []].flat()
      const other = englishNames.get(hexcode)
      const words = [label, ...(tags ?? []), ...known, other?.label ?? '', ...(other?.tags ?? [])]
      return [
        {
          emoji: unicode,
          label,
          shortcodes: known,
          group: named,
          words: fold(words.join(' ')).replaceAll('_', ' '),
          order: order ?? 0,
        },
      ]
    })
    .sort((left, right) => left.order - right.order)
}

/** Those that match every word of a search; the ones whose name or shortcode begins with it come first. */
export function findEmoji(all: readonly Emoji[], search: string): readonly Emoji[] {
  const words = fold(search).replaceAll(/[:_]/g, ' ').split(' ').filter(Boolean)
  const [first = ''] = words
  const begins = ({ label, shortcodes }: Emoji) =>
    fold(label).startsWith(first) || shortcodes.some((code) => code.startsWith(first))
  const found = all.filter((one) => words.every((word) => one.words.includes(word)))
  return [...found.filter(begins), ...found.filter((one) => !begins(one))]
}
