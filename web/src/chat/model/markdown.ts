/**
 * The part of Markdown that people use in messages: code, bold, italic, strikethrough, quotes and lists. Links
 * are addresses in the text itself; link texts that differ from their address are not supported. There
 * is no HTML. What is not closed stays as it was written.
 */
import { ADDRESS } from './links.ts'

export type Inline =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'code'; readonly text: string }
  | { readonly kind: 'strong' | 'em' | 'del'; readonly children: readonly Inline[] }

export type Block =
  | { readonly kind: 'paragraph'; readonly children: readonly Inline[] }
  | { readonly kind: 'code'; readonly text: string }
  | { readonly kind: 'quote'; readonly blocks: readonly Block[] }
  | { readonly kind: 'list'; readonly start: number | null; readonly items: readonly (readonly Inline[])[] }

/** Quotes within quotes beyond this are text. */
const MAX_DEPTH = 3

const fence = /^```\S*\s*$/
const fencedLine = /^```(?!`)(.+?)```$/
const quoteLine = /^>(?: (.*))?$/
const bullet = /^[-*•] +(\S.*)$/
const numbered = /^(\d{1,4})[.)] +(\S.*)$/

export function parseMarkdown(text: string, depth = 0): Block[] {
  const lines = text.split('\n')
  const blocks: Block[] = []
  let plain: string[] = []
  const flush = () => {
    const joined = plain.join('\n')
    const trimmed = blocks.length === 0 ? joined : joined.replace(/^\n+/, '')
    if (trimmed !== '') blocks.push({ kind: 'paragraph', children: parseInline(trimmed) })
    plain = []
  }
  const add = (block: Block) => {
    while (plain.at(-1) === '') plain.pop()
    flush()
    blocks.push(block)
  }
  for (let at = 0; at < lines.length; ) {
    const line = lines[at] ?? ''
    const inOneLine = fencedLine.exec(line)
    const end = fence.test(line)
      ? lines.findIndex((other, index) => index > at && other.trim() === '```')
      : -1
    if (inOneLine !== null) {
      add({ kind: 'code', text: inOneLine[1] ?? '' })
      at += 1
    } else if (end > at) {
      add({ kind: 'code', text: lines.slice(at + 1, end).join('\n') })
      at = end + 1
    } else if (quoteLine.test(line) && depth < MAX_DEPTH) {
      const quoted = takeWhile(lines, at, (other) => quoteLine.test(other))
      const inner = quoted.map((other) => quoteLine.exec(other)?.[1] ?? '').join('\n')
      add({ kind: 'quote', blocks: parseMarkdown(inner, depth + 1) })
      at += quoted.length
    } else if (bullet.test(line) || numbered.test(line)) {
      const pattern = bullet.test(line) ? bullet : numbered
      const items = takeWhile(lines, at, (other) => pattern.test(other))
      add({
        kind: 'list',
        start: pattern === bullet ? null : Number(numbered.exec(line)?.[1]),
        items: items.map((item) => parseInline(pattern.exec(item)?.at(-1) ?? '')),
      })
      at += items.length
    } else {
      plain.push(line)
      at += 1
    }
  }
  flush()
  return blocks
}

function takeWhile(lines: readonly string[], from: number, test: (line: string) => boolean): string[] {
  const end = lines.findIndex((line, index) => index >= from && !test(line))
  return lines.slice(from, end < 0 ? lines.length : end)
}

const code = /(`{1,2})(?!`)([^\n]*?[^`\n])\1(?!`)/y
const address = new RegExp(ADDRESS, 'iy')
/** Marks around text on one line, with no space inside and no Latin letter or digit outside of them. */
const emphasis = [
  { kind: 'strong', pattern: /\*\*(?=[^\s*])([^\n]*?[^\s])\*\*(?![\w*])/y },
  { kind: 'strong', pattern: /__(?=[^\s_])([^\n]*?[^\s])__(?![\w])/y },
  { kind: 'em', pattern: /\*(?=[^\s*])([^\n*]*[^\s*])\*(?![\w*])/y },
  { kind: 'em', pattern: /_(?=[^\s_])([^\n_]*[^\s_])_(?![\w])/y },
  { kind: 'del', pattern: /~~(?=[^\s~])([^\n]*?[^\s~])~~(?![\w~])/y },
] as const

function parseInline(text: string): Inline[] {
  const inlines: Inline[] = []
  let plain = ''
  const push = (inline: Inline) => {
    if (plain !== '') inlines.push({ kind: 'text', text: plain })
    plain = ''
    inlines.push(inline)
  }
  for (let at = 0; at < text.length; ) {
    const found = inlineAt(text, at)
    if (found === null) {
      const [character = ''] = text.slice(at, at + 2)
      plain += character
      at += character.length
      continue
    }
    if (found.inline === null) plain += text.slice(at, found.end)
    else push(found.inline)
    at = found.end
  }
  if (plain !== '') inlines.push({ kind: 'text', text: plain })
  return inlines
}

/** What begins here; `inline` is null for an address, whose signs are not marks. */
function inlineAt(text: string, at: number): { readonly inline: Inline | null; readonly end: number } | null {
  const link = matchAt(address, text, at)
  if (link !== null) return { inline: null, end: at + link[0].length }
  const codeFound = matchAt(code, text, at)
  if (codeFound !== null) {
    return { inline: { kind: 'code', text: codeFound[2] ?? '' }, end: at + codeFound[0].length }
  }
  // Within words, after other marks and in names nothing begins.
  if (/[\w*_~@＠]/.test(text[at - 1] ?? '')) return null
  for (const { kind, pattern } of emphasis) {
    const found = matchAt(pattern, text, at)
    if (found !== null) {
      return { inline: { kind, children: parseInline(found[1] ?? '') }, end: at + found[0].length }
    }
  }
  return null
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at
  return pattern.exec(text)
}

/** The texts outside of code. */
export function textsOf(blocks: readonly Block[]): string[] {
  return blocks.flatMap((block) => {
    switch (block.kind) {
      case 'paragraph':
        return inlineTexts(block.children)
      case 'quote':
        return textsOf(block.blocks)
      case 'list':
        return block.items.flatMap(inlineTexts)
      default:
        return []
    }
  })
}

function inlineTexts(inlines: readonly Inline[]): string[] {
  return inlines.flatMap((inline) => {
    if (inline.kind === 'text') return [inline.text]
    return inline.kind === 'code' ? [] : inlineTexts(inline.children)
  })
}

/** The words without their marks, for places that show one line. */
export function plainText(text: string): string {
  const blockText = (block: Block): string => {
    switch (block.kind) {
      case 'paragraph':
        return inlineText(block.children)
      case 'code':
        return block.text
      case 'quote':
        return block.blocks.map(blockText).join(' ')
      default:
        return block.items.map(inlineText).join(' ')
    }
  }
  return parseMarkdown(text).map(blockText).join(' ')
}

function inlineText(inlines: readonly Inline[]): string {
  return inlines.map((inline) => ('text' in inline ? inline.text : inlineText(inline.children))).join('')
}
