import type { Range } from './fold.ts'

/** ASCII of RFC 3986 only: Japanese text follows right behind an address, without a space. */
export const ADDRESS = String.raw`https?:\/\/[\w\-.~:/?#[\]@!$&'()*+,;=%]+`
const address = new RegExp(ADDRESS, 'gi')
const trailing = /[.,;:!?'*\]]+$/

export interface LinkRange extends Range {
  readonly href: string
}

/** The addresses in a text: http and https, without an account. */
export function findLinks(text: string): LinkRange[] {
  return [...text.matchAll(address)].flatMap(({ 0: found, index: start }) => {
    const shown = withoutTrailing(found)
    const url = URL.parse(shown)
    if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) return []
    // https://bank.example@elsewhere.example leads elsewhere.
    if (url.username !== '' || url.password !== '' || url.hostname === '') return []
    return [{ start, end: start + shown.length, href: url.href }]
  })
}

/** Punctuation at the end belongs to the sentence, and so does a parenthesis that opened before the address. */
function withoutTrailing(found: string): string {
  let text = found.replace(trailing, '')
  while (text.endsWith(')') && count(text, ')') > count(text, '('))
    text = text.slice(0, -1).replace(trailing, '')
  return text
}

function count(text: string, character: string): number {
  return text.split(character).length - 1
}
