import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { checkRequirements } from '../../scripts/check-requirements.ts'

const HEADER = '| id | requirement | state | place | test |\n| --- | --- | --- | --- | --- |\n'
const PLANNED = '| S1-1-01 | one | planned | `src/audit` | — |'

let root: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'akashi-requirements-'))
  mkdirSync(join(root, 'docs/requirements'), { recursive: true })
  writeFileSync(join(root, 'docs/requirements.md'), '<!-- summary:begin -->\n<!-- summary:end -->\n')
})

afterEach(() => rmSync(root, { recursive: true }))

function problemsOf(...rows: string[]): string[] {
  writeFileSync(join(root, 'docs/requirements/s1.md'), `${HEADER}${rows.join('\n')}\n`)
  return checkRequirements(root, true)
}

test('takes rows of every state', () => {
  writeFileSync(join(root, 'shown.test.ts'), '')
  mkdirSync(join(root, 'src/audit'), { recursive: true })
  expect(
    problemsOf(
      PLANNED,
      '| S1-1-02 | two | done | `src/audit`, `audit.audit_logs` | `shown.test.ts` |',
      '| S1-old-03 | a \\| b | decided otherwise: since | `akashi query` | — |',
      '| S1-3.7-04 | four | not ours: because | — | — |',
      '| S1-3.7-05 | five | done: by day: it is less | `src/audit` | `shown.test.ts` |',
    ),
  ).toEqual([])
  expect(readFileSync(join(root, 'docs/requirements.md'), 'utf8')).toContain('| all | 5 | 1 | 2 | 1 | 1 |')
})

test.each([
  ['| S1-1-01 | again | planned | — | — |', 'repeats the id of docs/requirements/s1.md:3'],
  ['| S1-1-02 | two | maybe | — | — |', "state 'maybe' is none of"],
  ['| S1-1-02 | two | decided otherwise | — | — |', 'needs a reason'],
  ['| S1-1-02 | two | planned: later | — | — |', 'takes no reason'],
  ['| S1-1-02 | two | done: | `src` | `x.test.ts` |', 'has a colon but no reason'],
  ['| S1-1-02 | two | done: since | `auth.users` | — |', 'names no test'],
  ['| S1-1-02 | two | done: since | `auth.users` | `gone.test.ts` |', "test 'gone.test.ts' does not exist"],
  ['| S1-1-02 | two | planned | — | `x.test.ts` |', 'names a test but is not done'],
  ['| S1-1-02 | two | done | `auth.users` | — |', 'names no test'],
  ['| S1-1-02 | two | done | `auth.users` | `gone.test.ts` |', "test 'gone.test.ts' does not exist"],
  ['| S1-1-02 | two | done | `src/gone` | `gone.test.ts` |', "place 'src/gone' does not exist"],
  ['| S2-1-02 | two | planned | — | — |', 'belongs in docs/requirements/s2.md'],
  ['| S1.2 | two | planned | — | — |', 'not of the form'],
  ['| S1-1-02 | two | planned | — |', '4 cells where 5 belong'],
])('names what is wrong with %s', (row, problem) => {
  expect(problemsOf(PLANNED, row)).toContainEqual(expect.stringContaining(problem))
})

test('compares the summary unless told to write it', () => {
  problemsOf(PLANNED)
  expect(checkRequirements(root)).toEqual([])
  const file = join(root, 'docs/requirements/s1.md')
  writeFileSync(file, `${HEADER}${PLANNED}\n| S1-1-02 | two | planned | — | — |\n`)
  expect(checkRequirements(root)).toEqual([expect.stringContaining('the summary does not count the rows')])
})
