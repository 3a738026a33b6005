/** SECURITY.md answers every requirement of ASVS 5.0 level 2 once, and the tests that it names are there. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '../..')
const text = readFileSync(join(root, 'SECURITY.md'), 'utf8')
/** The requirements of the levels 1 and 2 of the chapters 1 to 16, one a line, as the standard lists them. */
const REQUIREMENTS = 'test/data/asvs-5.0.0-level-2.txt'
const STATES = new Set(['done', 'by design', 'not applicable', 'operator', 'open'])
const TEST = /`(test\/[\w/.-]+[.]test[.]ts)`/g

interface Answer {
  readonly ids: readonly string[]
  readonly state: string
  readonly how: string
  readonly tests: readonly string[]
}

/** `1.2.1–1.2.3, 1.4.1` names four. */
function idsOf(cell: string): string[] {
  return cell.split(',').flatMap((part) => {
    const [first = '', last = first] = part.trim().split('–')
    const at = first.lastIndexOf('.') + 1
    const [from, to] = [Number(first.slice(at)), Number(last.slice(last.lastIndexOf('.') + 1))]
    return Array.from({ length: to - from + 1 }, (_, more) => `${first.slice(0, at)}${from + more}`)
  })
}

const answers: readonly Answer[] = text
  .split('\n')
  .filter((line) => /^\| \d+[.]\d+[.]\d+/.test(line))
  .map((line) => {
    const [ids = '', state = '', how = '', tests = ''] = line
      .split(' | ')
      .map((cell) => cell.replace(/^\| | \|$/g, ''))
    return { ids: idsOf(ids), state, how, tests: [...tests.matchAll(TEST)].map(([, path = '']) => path) }
  })

describe('SECURITY.md', () => {
  it('answers every requirement once', () => {
    const wanted = readFileSync(join(root, REQUIREMENTS), 'utf8').trim().split('\n')
    expect(wanted).toHaveLength(246)
    expect(answers.flatMap(({ ids }) => ids).sort()).toEqual(wanted.sort())
  })

  it('says of each how it is met, and by which test where it is', () => {
    for (const { ids, state, how, tests } of answers) {
      expect(STATES, `${ids[0]}: ${state}`).toContain(state)
      expect(how.length, ids[0]).toBeGreaterThan(10)
      expect(tests.length > 0, ids[0]).toBe(state === 'done')
    }
  })

  it('names tests that are there', () => {
    const named = [...text.matchAll(TEST)].map(([, path = '']) => path)
    expect(named.length).toBeGreaterThan(100)
    expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([])
  })
})
