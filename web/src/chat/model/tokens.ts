/** Splits text into plain text, links, mentions and marks of found words. All of it stays text. */
import { findWords, type Range } from './fold.ts'
import { findLinks } from './links.ts'
import { parseMarkdown, textsOf } from './markdown.ts'
import { findMentions, isGroup, type MentionGroup, type Names, withGroups } from './mentions.ts'

export type Token =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'mark'; readonly text: string }
  | { readonly kind: 'link'; readonly text: string; readonly href: string }
  | { readonly kind: 'mention'; readonly text: string; readonly userId: string }

export interface TokenOptions {
  /** Names of those who are mentioned. */
  readonly mentions?: Names
  /** Words that were searched for. */
  readonly words?: readonly string[]
}

export function tokenize(text: string, { mentions = new Map(), words = [] }: TokenOptions = {}): Token[] {
  const links = (part: string) =>
    split(part, findLinks(part), ({ href }, link): Token => ({ kind: 'link', text: link, href }))
  const people = (part: string) =>
    split(
      part,
      findMentions(part, mentions),
      ({ userId }, name): Token => ({ kind: 'mention', text: name, userId }),
    )
  const marks = (part: string) =>
    split(part, findWords(part, words), (_, word): Token => ({ kind: 'mark', text: word }))
  return [links, people, marks].reduce<Token[]>(
    (tokens, step) => tokens.flatMap((token) => (token.kind === 'text' ? step(token.text) : [token])),
    [{ kind: 'text', text }],
  )
}

function split<Found extends Range>(
  text: string,
  found: readonly Found[],
  make: (found: Found, text: string) => Token,
): Token[] {
  const tokens: Token[] = []
  let from = 0
  for (const range of found) {
    if (range.start > from) tokens.push({ kind: 'text', text: text.slice(from, range.start) })
    tokens.push(make(range, text.slice(range.start, range.end)))
    from = range.end
  }
  if (from < text.length) tokens.push({ kind: 'text', text: text.slice(from) })
  return tokens
}

/** The words of a query, as the server splits them. */
export function wordsOf(query: string): string[] {
  return query.split(/\s+/u).filter((word) => word !== '')
}

/** Members of the groups that a text may mention. */
export type GroupMembers = Readonly<Record<MentionGroup, readonly string[]>>

/** Like {@link mentionedIn}, with the members of the groups that the text mentions. */
export function mentionedWithGroups(text: string, people: Names, members: GroupMembers): string[] {
  const found = mentionedIn(text, withGroups(people))
  return [...new Set(found.flatMap((id) => (isGroup(id) ? members[id] : [id])))]
}

/** Ids of the people whose `@name` occurs in the text, outside of code and links. */
export function mentionedIn(text: string, people: Names): string[] {
  const tokens = textsOf(parseMarkdown(text)).flatMap((part) => tokenize(part, { mentions: people }))
  return [...new Set(tokens.flatMap((token) => (token.kind === 'mention' ? [token.userId] : [])))]
}
