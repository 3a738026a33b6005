/**
 * Checks the requirements trace: docs/requirements.md and docs/requirements/s1.md … s5.md. Places named by built
 * rows must exist, and their tests must contain their names.
 * Prints one line per problem and exits 1 if there are any; `--write` updates the summary first.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { databaseObjects } from './requirements/objects.ts'
import { isNamedIn, type Product, placeProblem } from './requirements/places.ts'
import { cellsOf, FOLDER, type Row, readTrace } from './requirements/rows.ts'
import { capabilityOf, isBuilt, STATES, stateOf, stateProblem } from './requirements/states.ts'

const INDEX = 'docs/requirements.md'
const SCHEMA = 'migrations/schema.sql'
const SUMMARY = /(<!-- summary:begin[^\n]*-->\n)([\s\S]*?)(<!-- summary:end -->)/
const TEST_FILE = /^(infra\/)?test\/.+[.]test[.]ts$/
/** First header cell of the table of planned capabilities. */
const CAPABILITY = 'capability'

/** Problems of the places and tests of a built row. */
function* builtProblems(row: Row, product: Product): Generator<string> {
  if (row.places.length === 0) yield 'is built but names no place'
  if (row.tests.length === 0) yield 'is built but names no test'
  const found: string[] = []
  for (const place of row.places) {
    const problem = placeProblem(place, product)
    if (problem === undefined) found.push(place)
    else yield `place '${place}' ${problem}`
  }
  for (const { path, words } of row.tests) {
    const file = join(product.root, path)
    if (!TEST_FILE.test(path) || !existsSync(file)) {
      yield `test '${path}' ${TEST_FILE.test(path) ? 'does not exist' : 'is not a test file'}`
      continue
    }
    const text = readFileSync(file, 'utf8')
    for (const word of words) {
      if (!text.includes(word)) yield `test '${path}' does not say '${word}'`
    }
    if (words.length === 0 && !found.some((place) => isNamedIn(text, place, product))) {
      yield `test '${path}' names none of its places: name what it says in brackets after it`
    }
  }
}

/** The planned capabilities listed in the index. */
function capabilitiesOf(index: string): string[] {
  const rows = index.split('\n').map((line) => (line.startsWith('|') ? cellsOf(line) : []))
  const from = rows.findIndex(([first]) => first === CAPABILITY)
  if (from === -1) return []
  const table = rows.slice(from + 2)
  const end = table.findIndex((cells) => cells.length === 0)
  return table.slice(0, end === -1 ? undefined : end).flatMap(([first]) => first ?? [])
}

/** The summary table: number of rows by source and state, with totals. */
function summaryOf(rows: readonly Row[]): string {
  const line = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |\n`
  const counted = (label: string, some: readonly Row[]): string => {
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
 * Returns all problems of the trace below `root` as lines `file:line: what`. `commands` are those of the CLI. With
 * `write` rewrites the summary of the index instead of comparing it.
 */
export function checkRequirements(root: string, commands: readonly string[], write = false): string[] {
  const { rows, problems: malformed } = readTrace(root)
  const problems = [...malformed]
  const index = readFileSync(join(root, INDEX), 'utf8')
  const capabilities = capabilitiesOf(index)
  const product: Product = {
    root,
    objects: databaseObjects(readFileSync(join(root, SCHEMA), 'utf8')),
    commands: new Set(commands),
  }
  const seen = new Map<string, string>()
  for (const row of rows) {
    const first = seen.get(row.id)
    if (first === undefined) seen.set(row.id, row.at)
    else problems.push(`${row.at}: ${row.id} repeats the id of ${first}`)
    const wrongState = stateProblem(row.state, capabilities)
    if (wrongState !== undefined) problems.push(`${row.at}: ${row.id} ${wrongState}`)
    if (isBuilt(stateOf(row.state))) {
      for (const problem of builtProblems(row, product)) problems.push(`${row.at}: ${row.id} ${problem}`)
    } else if (row.tests.length > 0) {
      problems.push(`${row.at}: ${row.id} names a test but is not built`)
    }
  }
  if (rows.length === 0) problems.push(`${FOLDER}: no requirement found`)
  const planned = new Set(rows.map(({ state }) => capabilityOf(state)))
  for (const capability of capabilities) {
    if (!planned.has(capability)) problems.push(`${INDEX}: no row waits for the capability '${capability}'`)
  }

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
  const { allCommands } = await import('../src/cli/index.ts')
  const { values } = parseArgs({ options: { write: { type: 'boolean', default: false } } })
  const commands = allCommands().map(([name]) => name)
  const problems = checkRequirements(join(import.meta.dirname, '..'), commands, values.write)
  for (const problem of problems) console.error(problem)
  if (problems.length > 0) process.exitCode = 1
}
