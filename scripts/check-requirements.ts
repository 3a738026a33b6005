/**
 * Checks the trace of requirements: docs/requirements.md and docs/requirements/s1.md … s5.md.
 * Prints one line per problem and exits 1 when there is one; `--write` brings the summary up to date first.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const STATES = ['planned', 'done', 'decided otherwise', 'not ours'] as const
type State = (typeof STATES)[number]

const INDEX = 'docs/requirements.md'
const FOLDER = 'docs/requirements'
const HEADER = ['id', 'requirement', 'state', 'place', 'test']
const NONE = '—'
const ID = /^S([1-9])-[0-9A-Za-z]+(\.[0-9A-Za-z]+)*-\d{2}$/
const SUMMARY = /(<!-- summary:begin[^\n]*-->\n)([\s\S]*?)(<!-- summary:end -->)/
/** Folders a place may name; anything else in a place is an object of the database or a command. */
const TOP_FOLDERS = ['migrations', 'src', 'web', 'infra', 'test', 'bench', 'scripts', 'docs']

interface Row {
  /** Where it stands, as `file:line`. */
  readonly at: string
  readonly id: string
  readonly source: string
  readonly state: string
  readonly places: readonly string[]
  readonly tests: readonly string[]
}

interface Trace {
  readonly rows: readonly Row[]
  readonly problems: readonly string[]
}

/** Cells of a table line; a pipe inside a cell is written `\|`. */
function cellsOf(line: string): string[] {
  return line
    .replace(/^\|/, '')
    .replace(/\|\s*$/, '')
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim())
}

function itemsOf(cell: string): string[] {
  if (cell === NONE) return []
  return cell
    .split(',')
    .map((item) => item.trim().replace(/^`(.*)`$/, '$1'))
    .filter((item) => item !== '')
}

function readTrace(root: string): Trace {
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
  if (requirement === '') problems.push(`${at}: ${id} says no requirement`)
  if (place === '') problems.push(`${at}: ${id} names no place (write ${NONE} for none)`)
  return { at, id, source: `S${source}`, state, places: itemsOf(place), tests: itemsOf(test) }
}

/** Whether a state carries a reason after a colon: what is done may say why it differs from the source. */
const REASON: Readonly<Record<State, 'none' | 'optional' | 'required'>> = {
  planned: 'none',
  done: 'optional',
  'decided otherwise': 'required',
  'not ours': 'required',
}

/** The state of a cell such as `decided otherwise: reason`, or undefined when it is not one of ours. */
function stateOf(cell: string): State | undefined {
  const word = cell.replace(/:.*$/, '').trim()
  return STATES.find((state) => state === word)
}

function stateProblem(row: Row): string | undefined {
  const state = stateOf(row.state)
  if (state === undefined) return `state '${row.state}' is none of ${STATES.join(', ')}`
  const hasReason = /:\s*\S/.test(row.state)
  if (REASON[state] === 'required' && !hasReason) return `state '${state}' needs a reason after a colon`
  if (REASON[state] === 'none' && row.state !== state) return `state '${state}' takes no reason`
  if (row.state !== state && !hasReason) return `state '${state}' has a colon but no reason`
  if (state !== 'done' && row.tests.length > 0) return 'names a test but is not done'
  return undefined
}

function isPath(place: string): boolean {
  const [top = ''] = place.split('/')
  return TOP_FOLDERS.includes(top)
}

function* doneProblems(row: Row, root: string): Generator<string> {
  if (stateOf(row.state) !== 'done') return
  if (row.tests.length === 0) yield 'is done but names no test'
  if (row.places.length === 0) yield 'is done but names no place'
  for (const test of row.tests) {
    if (!existsSync(join(root, test))) yield `is done but its test '${test}' does not exist`
  }
  for (const place of row.places) {
    if (isPath(place) && !existsSync(join(root, place))) {
      yield `is done but its place '${place}' does not exist`
    }
  }
}

/** The summary table: rows by source and state, and their totals. */
export function summaryOf(rows: readonly Pick<Row, 'source' | 'state'>[]): string {
  const line = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |\n`
  const counted = (label: string, some: readonly Pick<Row, 'source' | 'state'>[]): string => {
    const states = some.map((row) => stateOf(row.state))
    return line([label, some.length, ...STATES.map((state) => states.filter((one) => one === state).length)])
  }
  const sources = [...new Set(rows.map((row) => row.source))].sort()
  return [
    line(['source', 'rows', ...STATES]),
    line(['---', ...['rows', ...STATES].map(() => '---:')]),
    ...sources.map((source) =>
      counted(
        source,
        rows.filter((row) => row.source === source),
      ),
    ),
    counted('all', rows),
  ].join('')
}

/**
 * Every problem of the trace below `root`, one line each, `file:line: what`.
 * With `write` the summary of the index is rewritten instead of compared.
 */
export function checkRequirements(root: string, write = false): string[] {
  const { rows, problems: malformed } = readTrace(root)
  const problems = [...malformed]
  const seen = new Map<string, string>()
  for (const row of rows) {
    const first = seen.get(row.id)
    if (first === undefined) seen.set(row.id, row.at)
    else problems.push(`${row.at}: ${row.id} repeats the id of ${first}`)
    const wrongState = stateProblem(row)
    if (wrongState !== undefined) problems.push(`${row.at}: ${row.id} ${wrongState}`)
    for (const problem of doneProblems(row, root)) problems.push(`${row.at}: ${row.id} ${problem}`)
  }
  if (rows.length === 0) problems.push(`${FOLDER}: no requirement found`)

  const index = readFileSync(join(root, INDEX), 'utf8')
  const summary = summaryOf(rows)
  const present = SUMMARY.exec(index)?.[2]
  if (present === undefined) problems.push(`${INDEX}: the marks summary:begin and summary:end are missing`)
  else if (present !== summary && write) {
    const rewritten = index.replace(SUMMARY, (_, begin, _old, end) => `${begin}${summary}${end}`)
    writeFileSync(join(root, INDEX), rewritten)
  } else if (present !== summary) {
    problems.push(`${INDEX}: the summary does not count the rows; node scripts/check-requirements.ts --write`)
  }
  return problems
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { write: { type: 'boolean', default: false } } })
  const problems = checkRequirements(join(import.meta.dirname, '..'), values.write)
  for (const problem of problems) console.error(problem)
  if (problems.length > 0) process.exitCode = 1
}
