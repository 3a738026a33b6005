/** The rows of docs/requirements/s1.md … s5.md, read from their tables. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export const FOLDER = 'docs/requirements'
const HEADER = ['id', 'requirement', 'state', 'place', 'test']
const NONE = '—'
const ID = /^S([1-9])-[0-9A-Za-z]+(\.[0-9A-Za-z]+)*-\d{2}$/
/** What stands in backticks. */
const QUOTED = /`([^`]+)`/g
/** `path` or `path` (`word`, `word`), and the comma before the next. */
const TEST = /`([^`]+)`(?: \((`[^`]+`(?:, `[^`]+`)*)\))?(?:, |$)/gy

export interface NamedTest {
  readonly path: string
  /** What the text of the test says to show this row; where there is none, the name of a place. */
  readonly words: readonly string[]
}

export interface Row {
  /** Where it stands, as `file:line`. */
  readonly at: string
  readonly id: string
  /** Such as S1. */
  readonly source: string
  readonly state: string
  readonly places: readonly string[]
  readonly tests: readonly NamedTest[]
}

export interface Trace {
  readonly rows: readonly Row[]
  /** What is no row, one line each. */
  readonly problems: readonly string[]
}

/** Cells of a table line; a pipe inside a cell is written `\|`. */
export function cellsOf(line: string): string[] {
  return line
    .replace(/^\|/, '')
    .replace(/\|\s*$/, '')
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim())
}

export function readTrace(root: string): Trace {
  const rows: Row[] = []
  const problems: string[] = []
  const names = readdirSync(join(root, FOLDER))
    .filter((name) => name.endsWith('.md'))
    .sort()
  for (const name of names) {
    const file = `${FOLDER}/${name}`
    const lines = readFileSync(join(root, file), 'utf8').split('\n')
    for (const [index, line] of lines.entries()) {
      if (!line.startsWith('|') || /^[|\s:-]+$/.test(line)) continue
      const cells = cellsOf(line)
      if (cells.join('|') === HEADER.join('|')) continue
      const row = readRow(name, `${file}:${index + 1}`, cells, problems)
      if (row !== undefined) rows.push(row)
    }
  }
  return { rows, problems }
}

/** The row of a table line; what is wrong with it goes to `problems`, and one past reading is undefined. */
function readRow(name: string, at: string, cells: string[], problems: string[]): Row | undefined {
  const [id, requirement, state, place, test] = cells
  if (
    cells.length !== HEADER.length ||
    id === undefined ||
    requirement === undefined ||
    state === undefined ||
    place === undefined ||
    test === undefined
  ) {
    problems.push(`${at}: ${cells.length} cells where ${HEADER.length} belong (${HEADER.join(', ')})`)
    return undefined
  }
  const source = ID.exec(id)?.[1]
  if (source === undefined) {
    problems.push(`${at}: id '${id}' is not of the form S1-3.7-04`)
    return undefined
  }
  if (name !== `s${source}.md`) problems.push(`${at}: ${id} belongs in ${FOLDER}/s${source}.md`)
  if (requirement === '') problems.push(`${at}: ${id} states no requirement`)
  if (
    place !== NONE &&
    quotedIn(place)
      .map((item) => `\`${item}\``)
      .join(', ') !== place
  ) {
    problems.push(`${at}: ${id} writes its places otherwise than \`place\`, \`place\` (${NONE} for none)`)
  }
  const tests = testsOf(test)
  if (tests === undefined) problems.push(`${at}: ${id} writes its tests otherwise than \`path\` (\`word\`)`)
  return { at, id, source: `S${source}`, state, places: quotedIn(place), tests: tests ?? [] }
}

function quotedIn(cell: string): string[] {
  return [...cell.matchAll(QUOTED)].flatMap(([, text]) => text ?? [])
}

/** The tests of a cell, or undefined when it is not of the form. */
function testsOf(cell: string): NamedTest[] | undefined {
  if (cell === NONE) return []
  const found = [...cell.matchAll(TEST)]
  if (found.map(([whole]) => whole).join('') !== cell) return undefined
  return found.map(([, path = '', words = '']) => ({ path, words: quotedIn(words) }))
}
