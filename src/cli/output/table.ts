import { stripVTControlCharacters } from 'node:util'

const GAP = '  '

/** Characters that a terminal may interpret: cells can contain text that anyone wrote into an event. */
const CONTROL = /[\p{Cc}\p{Cf}\u2028\u2029]/gu
/** Characters that are two columns wide (East Asian wide and fullwidth, emoji). */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u

const characters = new Intl.Segmenter('en', { granularity: 'grapheme' })

/** Aligned columns, header first. Null and undefined are shown as empty cells. */
export function table(header: readonly string[], rows: readonly (readonly unknown[])[]): string {
  const lines = [header, ...rows.map((row) => header.map((_, column) => row[column]))].map((row) =>
    row.map(cellText),
  )
  const widths = header.map((_, column) => Math.max(...lines.map((line) => width(line[column] ?? ''))))
  return lines
    .map((line) =>
      line
        .map((text, column) => pad(text, widths[column] ?? 0))
        .join(GAP)
        .trimEnd(),
    )
    .join('\n')
}

function cellText(value: unknown): string {
  return stripVTControlCharacters(plainText(value)).replaceAll(CONTROL, ' ')
}

function plainText(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (value instanceof Date) return value.toISOString()
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

function pad(text: string, cells: number): string {
  return text + ' '.repeat(cells - width(text))
}

/** The width of a text in terminal columns. */
function width(text: string): number {
  let cells = 0
  for (const { segment } of characters.segment(text)) cells += WIDE.test(segment) ? 2 : 1
  return cells
}
