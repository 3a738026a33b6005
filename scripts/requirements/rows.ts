/** Parses the tables of docs/requirements/s1.md … s5.md. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export const FOLDER = 'docs/requirements'
const HEADER = ['id', 'requirement', 'state', 'place', 'test']
const NONE = '—'
const ID = /^S([1-9])-[0-9A-Za-z]+(\.[0-9A-Za-z]+)*-\d{2}$/
/** Text in backticks. */
const QUOTED = /`([^`]+)`/g
/** `path` or `path` (`word`, `word`), with a comma before the next. */
const TEST = /`([^`]+)`(?: \((`[^`]+`(?:, `[^`]+`)*)\))?(?:, |$)/gy

export interface NamedTest {
  readonly path: string
  /** Texts that the test must contain; if empty, the name of a place. */
  readonly words: readonly string[]
}

export interface Row {
  /** Location as `file:line`. */
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
  /** Malformed rows, one line each. */
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

/** Parses a table line; adds mistakes to `problems` and returns undefined if it is unreadable. */
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
    problems.push(`${at}: ${cells.length} cells instead of ${HEADER.length} (${HEADER.join(', ')})`)
    return undefined
  }
  const source = ID.exec(id)?.[1]
  if (source === undefined) {
    problems.push(`${at}: id '${id}' does not have the form S1-3.7-04`)
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
    problems.push(`${at}: ${id} does not write its places as \`place\`, \`place\` (${NONE} for none)`)
  }
  const tests = testsOf(test)
  if (tests === undefined) problems.push(`${at}: ${id} does not write its tests as \`path\` (\`word\`)`)
  return { at, id, source: `S${source}`, state, places: quotedIn(place), tests: tests ?? [] }
}

function quotedIn(cell: string): string[] {
  return [...cell.matchAll(QUOTED)].flatMap(([, text]) => text ?? [])
}

/** The tests of a cell, or undefined if malformed. */
function testsOf(cell: string): NamedTest[] | undefined {
  if (cell === NONE) return []
  const found = [...cell.matchAll(TEST)]
  if (found.map(([whole]) => whole).join('') !== cell) return undefined
  return found.map(([, path = '', words = '']) => ({ path, words: quotedIn(words) }))
}
