/** Rules in folders: our own pack, and the folders in the settings. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { AkashiError } from '../foundation/index.ts'
import { calendarOf } from './calendar.ts'
import type { PlainEvent } from './evaluate.ts'
import { Matcher } from './matcher.ts'
import type { Rule, RuleTest } from './rule/ast.ts'
import { type Overrides, type Parsed, parseRules, type RuleText } from './rule/parse.ts'

/** Maximum rule files in all folders together. */
const MAX_FILES = 20_000

/** The pack that comes with the program. */
export const OWN_RULES: string = join(import.meta.dirname, '..', '..', 'rules')

/** A rule file as it was read. */
export interface FileRules {
  /** Relative to its folder. */
  readonly file: string
  readonly path: string
  readonly size: bigint
  readonly inode: bigint
  /** Nanoseconds since 1970. */
  readonly changedAt: bigint
  readonly modifiedAt: bigint
}

/** Reads every `.yml` and `.yaml` below some folders. */
export async function readRuleFolders(
  folders: readonly string[],
  overrides: Overrides = {},
): Promise<Parsed> {
  return await parseRuleFiles(await listRuleFiles(folders), overrides)
}

export async function listRuleFiles(folders: readonly string[]): Promise<FileRules[]> {
  const files: FileRules[] = []
  for (const folder of folders) {
    const found = await readdir(folder, { recursive: true, withFileTypes: true }).catch((cause: unknown) => {
      throw new AkashiError('not_found', `the folder of rules ${folder} cannot be read`, { cause })
    })
    for (const entry of found) {
      if (!entry.isFile() || !/\.ya?ml$/.test(entry.name)) continue
      if (files.length >= MAX_FILES)
        throw new AkashiError('too_large', `there are more than ${MAX_FILES} files of rules`)
      const path = join(entry.parentPath, entry.name)
      const { size, ino: inode, ctimeNs: changedAt, mtimeNs: modifiedAt } = await stat(path, { bigint: true })
      files.push({ file: relative(folder, path), path, size, inode, changedAt, modifiedAt })
    }
  }
  return files.sort((a, b) => (a.file < b.file ? -1 : 1))
}

export async function parseRuleFiles(files: readonly FileRules[], overrides: Overrides): Promise<Parsed> {
  const texts: RuleText[] = []
  for (const { file, path } of files) texts.push({ file, text: await readFile(path, 'utf8') })
  return parseRules(texts, overrides)
}

export interface TestResult {
  readonly rule: Rule
  readonly test: RuleTest
  readonly passed: boolean
}

/** Runs the tests inside rules, without a database. */
export function testRules(rules: readonly Rule[], timeZone: string): TestResult[] {
  const calendar = calendarOf(timeZone, ['2026-01-01'])
  return rules.flatMap((rule) =>
    rule.tests.map((test) => {
      const table = rule.kind === 'event' ? rule.table : (rule.parts[0]?.rule.table ?? 'security_events')
      const matcher = new Matcher(
        table,
        [rule.kind === 'event' ? { ...rule, reports: true } : rule],
        calendar,
      )
      const events = test.events.flatMap((event) => spread(event))
      for (const [at, event] of events.entries()) matcher.event(`${at}`, event)
      return { rule, test, passed: matcher.take().length > 0 === test.finds }
    }),
  )
}

/**
 * An event of a test: `at` is its time, `repeat` makes several of it, `every` seconds apart. `{n}` in a text becomes
 * the number of the repetition.
 */
function spread(event: Readonly<Record<string, unknown>>): PlainEvent[] {
  const { at = '2026-06-01T03:00:00Z', repeat = 1, every = 1, ...fields } = event
  const start = Date.parse(String(at)) * 1000
  return Array.from({ length: Number(repeat) }, (_, n): PlainEvent => {
    const text = JSON.stringify(fields).replaceAll('{n}', String(n))
    return {
      ...(JSON.parse(text) as Readonly<Record<string, unknown>>),
      created_at: start + n * Number(every) * 1_000_000,
    }
  })
}
