/**
 * Compares text as the server's search does: width, case and composition do not count. Folding can join characters
 * (half-width ｶ and ﾞ are ガ), so the folded text remembers which part of the original each piece came from.
 */
interface Folded {
  readonly text: string
  /** For each code unit of `text`: where its part of the original starts and ends. */
  readonly starts: readonly number[]
  readonly ends: readonly number[]
}

/** A character with the marks that NFKC may join with it; conjoining Hangul stays together. */
const part = /[\u1100-\u11ff\ua960-\ua97f\ud7b0-\ud7ff]+|.[\p{M}\uff9e\uff9f]*/gsu

/** Characters that Windows and other systems type for the same key, as `akashi_chat.fold` of the server maps them. */
const alike: Readonly<Record<string, string>> = { '〜': '~', '−': '-', '‖': '∥', '—': '―' }

export function fold(text: string): string {
  return text
    .normalize('NFKC')
    .toLowerCase()
    .replaceAll(/[〜−‖—]/g, (character) => alike[character] ?? character)
}

export function foldWithSource(text: string): Folded {
  let folded = ''
  const starts: number[] = []
  const ends: number[] = []
  for (const { 0: source, index } of text.matchAll(part)) {
    const piece = fold(source)
    starts.push(...Array<number>(piece.length).fill(index))
    ends.push(...Array<number>(piece.length).fill(index + source.length))
    folded += piece
  }
  return { text: folded, starts, ends }
}

export interface Range {
  readonly start: number
  readonly end: number
}

/** Where the words occur in the text, in order and without overlaps. */
export function findWords(text: string, words: readonly string[]): Range[] {
  const { text: folded, starts, ends } = foldWithSource(text)
  const found: Range[] = []
  for (const word of words.map(fold)) {
    if (word === '') continue
    for (let at = folded.indexOf(word); at >= 0; at = folded.indexOf(word, at + 1)) {
      found.push({ start: starts[at] ?? 0, end: ends[at + word.length - 1] ?? text.length })
    }
  }
  found.sort((left, right) => left.start - right.start)
  const merged: Range[] = []
  for (const range of found) {
    const last = merged.at(-1)
    if (last !== undefined && range.start <= last.end) {
      merged[merged.length - 1] = { start: last.start, end: Math.max(last.end, range.end) }
    } else merged.push(range)
  }
  return merged
}

/** Whether one of the names contains the search term, regardless of case and width. */
export function someContain(names: readonly string[], searched: string): boolean {
  const wanted = fold(searched)
  return names.some((name) => fold(name).includes(wanted))
}
