/**
 * Splits the text of a message into what is shown of it: plain text, links, mentions, and marks of found
 * words. Everything stays text; a link is one only when its address is http or https and names no account.
 */
export type Token =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'mark'; readonly text: string }
  | { readonly kind: 'link'; readonly text: string; readonly href: string }
  | { readonly kind: 'mention'; readonly text: string; readonly userId: string }

export interface TokenOptions {
  /** User names of those mentioned, to their ids. */
  readonly mentions?: ReadonlyMap<string, string>
  /** Words that were searched for. */
  readonly words?: readonly string[]
}

/** ASCII of RFC 3986 only: Japanese text goes on right behind an address, without a space. */
const address = /https?:\/\/[\w\-.~:/?#[\]@!$&'()*+,;=%]+/gi
const trailing = /[.,;:!?'*\]]+$/
const mention = /@([\p{L}\p{N}_.-]{1,50})/gu

export function tokenize(text: string, options: TokenOptions = {}): Token[] {
  const { mentions = new Map<string, string>(), words = [] } = options
  return split(text, address, linkOf)
    .flatMap((token) =>
      token.kind === 'text'
        ? split(token.text, mention, ([, name = '']) => mentionOf(name, mentions))
        : [token],
    )
    .flatMap((token) => (token.kind === 'text' ? marked(token.text, words) : [token]))
}

/** `make` answers the token of a match, shorter than the match if need be, or null when it is only text. */
function split(text: string, pattern: RegExp, make: (match: RegExpExecArray) => Token | null): Token[] {
  const tokens: Token[] = []
  let from = 0
  pattern.lastIndex = 0
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    const token = make(match)
    if (token === null) continue
    if (match.index > from) tokens.push({ kind: 'text', text: text.slice(from, match.index) })
    tokens.push(token)
    from = match.index + token.text.length
    pattern.lastIndex = from
  }
  if (from < text.length) tokens.push({ kind: 'text', text: text.slice(from) })
  return tokens
}

function linkOf([found]: RegExpExecArray): Token | null {
  let text = found.replace(trailing, '')
  while (text.endsWith(')') && count(text, ')') > count(text, '('))
    text = text.slice(0, -1).replace(trailing, '')
  const url = URL.parse(text)
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) return null
  // https://bank.example@elsewhere.example leads elsewhere.
  if (url.username !== '' || url.password !== '' || url.hostname === '') return null
  return { kind: 'link', text, href: url.href }
}

function mentionOf(name: string, mentions: ReadonlyMap<string, string>): Token | null {
  // A full stop behind the name belongs to the sentence unless the name has it.
  for (let text = name; text !== ''; text = /[.-]$/.test(text) ? text.slice(0, -1) : '') {
    const userId = mentions.get(text)
    if (userId !== undefined) return { kind: 'mention', text: `@${text}`, userId }
  }
  return null
}

function count(text: string, mark: string): number {
  return text.split(mark).length - 1
}

/** Width and case do not count, as they do not in the search itself. */
function marked(text: string, words: readonly string[]): Token[] {
  const wanted = words.map(fold).filter((word) => word !== '')
  if (wanted.length === 0) return [{ kind: 'text', text }]
  const points = [...text]
  const folded = points.map(fold)
  const hits = new Array<boolean>(points.length).fill(false)
  for (let start = 0; start < points.length; start += 1) {
    for (const word of wanted) {
      const end = endOf(folded, start, word)
      if (end !== null) hits.fill(true, start, end)
    }
  }
  const tokens: Token[] = []
  for (let from = 0; from < points.length; ) {
    const hit = hits[from]
    let to = from
    while (to < points.length && hits[to] === hit) to += 1
    tokens.push({ kind: hit === true ? 'mark' : 'text', text: points.slice(from, to).join('') })
    from = to
  }
  return tokens
}

/** Where the word that begins at `start` ends; null when another stands there. */
function endOf(folded: readonly string[], start: number, word: string): number | null {
  let rest = word
  for (let at = start; at < folded.length; at += 1) {
    const point = folded[at] ?? ''
    if (!rest.startsWith(point)) return null
    rest = rest.slice(point.length)
    if (rest === '') return at + 1
  }
  return null
}

function fold(text: string): string {
  return text.normalize('NFKC').toLowerCase()
}

/** The words of a query, as the server takes them. */
export function wordsOf(query: string): string[] {
  return query.split(/\s+/u).filter((word) => word !== '')
}

/** Ids of those whose `@name` stands in the text. */
export function mentionedIn(text: string, people: ReadonlyMap<string, string>): string[] {
  const ids = tokenize(text, { mentions: people }).flatMap((token) =>
    token.kind === 'mention' ? [token.userId] : [],
  )
  return [...new Set(ids)]
}
