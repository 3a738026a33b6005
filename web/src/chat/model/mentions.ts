/**
 * Finds `@name` in text. People write it as they do in Japan, too: with a full-width ＠, right behind a word
 * (`お疲れ様@aoi`) and in front of one (`@aoiさん`). An address such as `root@aoi` mentions nobody.
 */
import type { Person } from '@akashi/contract'
import { fold, foldWithSource, type Range } from './fold.ts'

export interface Mention extends Range {
  readonly userId: string
}

/** Names that can be mentioned, as they are written, to user ids. */
export type Names = ReadonlyMap<string, string>

/** User names and, where they are not ambiguous, display names. */
export function namesOf(people: Iterable<Person>): Map<string, string> {
  const all = [...people]
  const names = new Map(all.map(({ username, id }) => [username, id]))
  for (const [displayName, group] of Map.groupBy(all, (person) => person.displayName)) {
    const [only] = group
    if (group.length === 1 && only !== undefined && !names.has(displayName)) names.set(displayName, only.id)
  }
  return names
}

/** Groups that can be mentioned: every member of the room, and those of them who are there. */
const groups = { everyone: ['everyone', 'channel', '全員'], here: ['here', 'いる人'] } as const
export type MentionGroup = keyof typeof groups

export function isGroup(userId: string): userId is MentionGroup {
  return userId in groups
}

/** Adds the names of groups, unless a person has that name. */
export function withGroups(names: Names): Map<string, string> {
  const all = Object.entries(groups).flatMap(([group, words]) => words.map((word) => [word, group] as const))
  return new Map([...all, ...names])
}

/** Letters and digits of scripts that put spaces between words, so that a name does not end within them. */
const spaced = String.raw`(?:(?![\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}ー々])[\p{L}\p{N}_])`
const wordBefore = new RegExp(`(?:${spaced}|[.+-])$`, 'u')
const endsWithWord = new RegExp(`${spaced}$`, 'u')
const wordAfter = new RegExp(`^(?:${spaced}|[.@-]${spaced})`, 'u')

export function findMentions(text: string, names: Names): Mention[] {
  if (names.size === 0) return []
  const { text: folded, starts, ends } = foldWithSource(text)
  // The longest first: people may be called aoi and aoi.sato.
  const known = [...Map.groupBy(names.keys(), fold)].sort(([left], [right]) => right.length - left.length)
  const found: Mention[] = []
  for (let at = folded.indexOf('@'); at >= 0; at = folded.indexOf('@', at + 1)) {
    const start = starts[at] ?? 0
    if (start < (found.at(-1)?.end ?? 0) || wordBefore.test(folded.slice(0, at))) continue
    const rest = folded.slice(at + 1)
    for (const [name, spellings] of known) {
      if (!beginsWith(rest, name)) continue
      const end = ends[at + name.length] ?? text.length
      const userId = personOf(names, spellings, text.slice(ends[at], end))
      if (userId === undefined) continue
      found.push({ start, end, userId })
      break
    }
  }
  return found
}

/** Whether the text begins with the name, and the name ends there. */
function beginsWith(rest: string, name: string): boolean {
  if (name === '' || !rest.startsWith(name)) return false
  return !endsWithWord.test(name) || !wordAfter.test(rest.slice(name.length))
}

/** Of several names that differ only in case or width, the one that is written exactly so. */
function personOf(names: Names, spellings: readonly string[], written: string): string | undefined {
  const [only] = spellings
  const spelling = spellings.length === 1 ? only : spellings.find((one) => one === written)
  return spelling === undefined ? undefined : names.get(spelling)
}

/** The name being typed at the end of the text, without its @; null if there is none. */
export function unfinishedMention(text: string): { readonly start: number; readonly name: string } | null {
  const found = /[@＠]([^\s@＠]{0,50})$/u.exec(text)
  if (found === null || wordBefore.test(text.slice(0, found.index))) return null
  return { start: found.index, name: found[1] ?? '' }
}
