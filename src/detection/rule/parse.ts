/** Reads rules of Sigma 2.1 (sigmahq.io/sigma-specification) from YAML. */
import { createHash } from 'node:crypto'
import { LineCounter, parseAllDocuments } from 'yaml'
import {
  type Comparison,
  type CorrelationPart,
  type CorrelationRule,
  type CorrelationType,
  correlationTypes,
  type EventRule,
  type Expression,
  type Level,
  levels,
  type Rule,
  type RuleTest,
  tactics,
} from './ast.ts'
import { parseCondition } from './condition.ts'
import { RuleFault } from './fault.ts'
import { at, isMap, parseSelection } from './items.ts'
import { type Source, sourceOf } from './sources.ts'

export interface Refusal {
  readonly file: string
  readonly line: number
  readonly reason: string
}

export interface RuleText {
  readonly file: string
  readonly text: string
}

export interface Parsed {
  readonly rules: readonly Rule[]
  readonly refused: readonly Refusal[]
}

/** Thresholds and times that an installation sets for rules, by their names or ids. */
export type Overrides = Readonly<
  Record<string, { readonly threshold?: number; readonly timespan?: string; readonly off?: boolean }>
>

const MICROSECONDS: Readonly<Record<string, number>> = {
  s: 1e6,
  m: 60e6,
  h: 3_600e6,
  d: 86_400e6,
  w: 604_800e6,
}
const DEFAULT_SUPPRESSION = '1h'
const LONGEST_TIMESPAN = MICROSECONDS['d'] ?? 0
const LONGEST_HISTORY = 90 * LONGEST_TIMESPAN
/** Maximum bytes of one rule file. */
const MAX_FILE_CHARACTERS = 1_048_576

interface Document {
  readonly file: string
  readonly text: string
  readonly body: Readonly<Record<string, unknown>>
  lineOf(path: readonly (string | number)[]): number
}

/** Compiles the rules of all files together, since correlations may refer to rules of other files. */
export function parseRules(files: readonly RuleText[], overrides: Overrides = {}): Parsed {
  const refused: Refusal[] = []
  const documents = files.flatMap((file) => readDocuments(file, refused))
  const rules: Rule[] = []
  const events = new Map<string, EventRule>()
  const refuse = (document: Document, error: unknown) => {
    if (!(error instanceof RuleFault)) throw error
    refused.push({ file: document.file, line: document.lineOf(error.path), reason: error.message })
  }
  const seen = new Set<string>()
  for (const document of documents.filter(({ body }) => !isMap(body['correlation']))) {
    try {
      const rule = parseEvent(document)
      if (seen.has(rule.id)) throw new RuleFault(`the id ${rule.id} is used by another rule`, ['id'])
      seen.add(rule.id)
      rules.push(rule)
      for (const name of [rule.id, rule.name]) if (name !== null) events.set(name, rule)
    } catch (error) {
      refuse(document, error)
    }
  }
  const generating = new Set<string>()
  for (const document of documents.filter(({ body }) => isMap(body['correlation']))) {
    try {
      const rule = parseCorrelation(document, events, overrides)
      if (seen.has(rule.id)) throw new RuleFault(`the id ${rule.id} is used by another rule`, ['id'])
      seen.add(rule.id)
      rules.push(rule)
      if (document.body['generate'] !== true) for (const part of rule.parts) generating.add(part.rule.id)
    } catch (error) {
      refuse(document, error)
    }
  }
  const active = rules.filter((rule) => overrides[rule.name ?? rule.id]?.off !== true)
  return {
    rules: active.map((rule) =>
      rule.kind === 'event' && generating.has(rule.id) ? { ...rule, reports: false } : rule,
    ),
    refused,
  }
}

function readDocuments({ file, text }: RuleText, refused: Refusal[]): Document[] {
  if (text.length > MAX_FILE_CHARACTERS) {
    refused.push({ file, line: 1, reason: `longer than ${MAX_FILE_CHARACTERS} characters` })
    return []
  }
  const counter = new LineCounter()
  const documents: Document[] = []
  for (const document of parseAllDocuments(text, { lineCounter: counter })) {
    const [problem] = 'errors' in document ? document.errors : []
    if (problem !== undefined) {
      refused.push({
        file,
        line: counter.linePos(problem.pos[0]).line,
        reason: problem.message.split('\n')[0] ?? 'not YAML',
      })
      continue
    }
    let body: unknown
    try {
      body = document.toJS({ maxAliasCount: 0 })
    } catch (error) {
      refused.push({ file, line: 1, reason: error instanceof Error ? error.message : 'not YAML' })
      continue
    }
    if (body === null) continue
    const start = counter.linePos(document.range?.[0] ?? 0).line
    if (!isMap(body)) {
      refused.push({ file, line: start, reason: 'a rule is a map' })
      continue
    }
    documents.push({
      file,
      text: text.slice(document.range?.[0] ?? 0, document.range?.[2]),
      body,
      lineOf(path) {
        for (let length = path.length; length > 0; length -= 1) {
          const node: unknown = document.getIn(path.slice(0, length), true)
          const range = typeof node === 'object' && node !== null && 'range' in node ? node.range : null
          if (Array.isArray(range) && typeof range[0] === 'number') return counter.linePos(range[0]).line
        }
        return start
      },
    })
  }
  return documents
}

function parseEvent(document: Document): EventRule {
  const { body } = document
  const logsource = body['logsource']
  if (!isMap(logsource)) throw new RuleFault('logsource is missing', ['logsource'])
  const source = sourceOf(logsource)
  const expression = parseDetection(body['detection'], source)
  const own = extension(body)
  const groupNames =
    own['group-by'] === undefined ? source.groupBy : strings(own['group-by'], ['akashi', 'group-by'])
  const groupBy = groupNames.map((name) => at(() => source.fields.field(name), ['akashi', 'group-by']))
  return {
    ...described(document, [body['logsource'], body['detection'], own['group-by'], own['suppression']]),
    kind: 'event',
    table: source.table,
    expression: source.filter === null ? expression : { op: 'and', of: [source.filter, expression] },
    groupBy,
    groupNames,
    reports: true,
    fieldOf: (name) => source.fields.field(name),
  }
}

function parseDetection(detection: unknown, source: Source): Expression {
  if (!isMap(detection)) throw new RuleFault('detection is missing', ['detection'])
  const { condition, timeframe, ...written } = detection
  if (timeframe !== undefined)
    throw new RuleFault('timeframe is no longer part of Sigma; write a correlation', [
      'detection',
      'timeframe',
    ])
  const selections = new Map(
    Object.entries(written).map(([name, selection]) => [
      name,
      parseSelection(selection, source.fields, ['detection', name]),
    ]),
  )
  const conditions = Array.isArray(condition) ? condition : [condition]
  const of = conditions.map((each: unknown) => {
    if (typeof each !== 'string') throw new RuleFault('condition is missing', ['detection', 'condition'])
    return parseCondition(each, selections)
  })
  return of.length === 1 && of[0] !== undefined ? of[0] : { op: 'or', of }
}

function parseCorrelation(
  document: Document,
  events: ReadonlyMap<string, EventRule>,
  overrides: Overrides,
): CorrelationRule {
  const { body } = document
  const correlation = body['correlation']
  if (!isMap(correlation)) throw new RuleFault('correlation is missing')
  const type = correlation['type']
  if (!isType(type))
    throw new RuleFault(`${String(type)} is not a type of correlation`, ['correlation', 'type'])
  const wanted = overrides[typeof body['name'] === 'string' ? body['name'] : String(body['id'])] ?? {}
  const names = strings(correlation['rules'], ['correlation', 'rules'])
  const rules = names.map((name, index) => {
    const found = events.get(name)
    if (found === undefined)
      throw new RuleFault(`there is no rule ${name} that matches events`, ['correlation', 'rules', index])
    return found
  })
  if (new Set(rules.map(({ table }) => table)).size > 1) {
    throw new RuleFault('the rules of a correlation must read the same table', ['correlation', 'rules'])
  }
  const groupNames =
    correlation['group-by'] === undefined ? [] : strings(correlation['group-by'], ['correlation', 'group-by'])
  const longest = type === 'new_terms' ? LONGEST_HISTORY : LONGEST_TIMESPAN
  const timespan = duration(wanted.timespan ?? correlation['timespan'], ['correlation', 'timespan'])
  if (timespan > longest) throw new RuleFault('the timespan is too long', ['correlation', 'timespan'])
  const written = correlation['condition']
  const valueName = isMap(written) ? written['field'] : undefined
  const parts = rules.map((rule, index): CorrelationPart => {
    const field = (name: string) =>
      at(() => rule.fieldOf(aliasOf(correlation, name, names[index] ?? '')), ['correlation'])
    return {
      rule,
      groupBy: groupNames.map(field),
      value: typeof valueName === 'string' ? field(valueName) : null,
    }
  })
  const own = extension(body)
  const condition = conditionOf(type, written, wanted.threshold)
  const needsValue = type.startsWith('value_') || type === 'new_terms'
  if (needsValue && parts.some(({ value }) => value === null)) {
    throw new RuleFault(`${type} needs a field`, ['correlation', 'condition'])
  }
  const suppression = own['suppression'] ?? (type === 'new_terms' ? DEFAULT_SUPPRESSION : undefined)
  return {
    ...described(document, [correlation, own['suppression'], wanted, ...rules.map(({ hash }) => hash)]),
    ...(suppression === undefined ? { suppression: timespan } : {}),
    kind: 'correlation',
    type,
    parts,
    groupNames,
    timespan,
    condition,
    percentile: isMap(written) && typeof written['percentile'] === 'number' ? written['percentile'] : 50,
  }
}

function isType(type: unknown): type is CorrelationType {
  return correlationTypes.includes(type as CorrelationType)
}

function aliasOf(correlation: Readonly<Record<string, unknown>>, name: string, rule: string): string {
  const aliases = correlation['aliases']
  const alias = isMap(aliases) ? aliases[name] : undefined
  const field = isMap(alias) ? alias[rule] : undefined
  return typeof field === 'string' ? field : name
}

function conditionOf(
  type: CorrelationType,
  written: unknown,
  threshold: number | undefined,
): CorrelationRule['condition'] {
  const path = ['correlation', 'condition']
  if (!isMap(written)) {
    if (type === 'temporal' || type === 'temporal_ordered') return []
    throw new RuleFault('condition is missing', path)
  }
  const found = Object.entries(written).flatMap(([key, value]) => {
    if (key === 'field' || key === 'percentile') return []
    if (!['lt', 'lte', 'gt', 'gte', 'eq'].includes(key))
      throw new RuleFault(`${key} is not a comparison`, [...path, key])
    if (typeof value !== 'number') throw new RuleFault('a number is expected', [...path, key])
    return [{ comparison: key as Comparison | 'eq', value: threshold ?? value }]
  })
  if (found.length === 0 && type !== 'new_terms') throw new RuleFault('a comparison is missing', path)
  return found
}

/** Akashi's own part of a rule: Japanese texts, subject, suppression and tests. */
function extension(body: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const own = body['akashi']
  if (own === undefined) return {}
  if (!isMap(own)) throw new RuleFault('akashi is a map', ['akashi'])
  const known = ['title', 'description', 'group-by', 'suppression', 'tests']
  const unknown = Object.keys(own).find((key) => !known.includes(key))
  if (unknown !== undefined) throw new RuleFault(`akashi has no ${unknown}`, ['akashi', unknown])
  return own
}

function described({ body, file, text }: Document, meaning: readonly unknown[]) {
  const title = body['title']
  if (typeof title !== 'string' || title === '') throw new RuleFault('title is missing', ['title'])
  const own = extension(body)
  const id = typeof body['id'] === 'string' ? body['id'] : body['name']
  if (typeof id !== 'string' || id === '') throw new RuleFault('id is missing', ['id'])
  const tags = Array.isArray(body['tags']) ? body['tags'].map(String) : []
  const level = body['level'] ?? 'medium'
  if (!isLevel(level)) throw new RuleFault(`${String(level)} is not a level`, ['level'])
  const textOf = (value: unknown) => (typeof value === 'string' ? value.trim() : null)
  const positives = body['falsepositives']
  return {
    id,
    name: typeof body['name'] === 'string' ? body['name'] : null,
    title,
    titleJa: textOf(own['title']),
    description: textOf(body['description']),
    descriptionJa: textOf(own['description']),
    level,
    attack: tags.flatMap((tag) => /^attack\.(t\d{4}(?:\.\d{3})?)$/i.exec(tag)?.[1]?.toUpperCase() ?? []),
    tactics: tactics.filter((tactic) =>
      tags.some((tag) => tag.toLowerCase().replaceAll('_', '-') === `attack.${tactic}`),
    ),
    falsePositives: (Array.isArray(positives) ? positives : [positives]).flatMap(
      (each) => textOf(each) ?? [],
    ),
    hash: createHash('sha256')
      .update(JSON.stringify([id, level, meaning]))
      .digest('hex'),
    suppression: duration(own['suppression'] ?? DEFAULT_SUPPRESSION, ['akashi', 'suppression']),
    tests: testsOf(own['tests']),
    file,
    text,
  }
}

function isLevel(level: unknown): level is Level {
  return levels.includes(level as Level)
}

function testsOf(tests: unknown): RuleTest[] {
  if (tests === undefined) return []
  if (!Array.isArray(tests)) throw new RuleFault('tests are a list', ['akashi', 'tests'])
  return tests.map((test: unknown, index): RuleTest => {
    const path = ['akashi', 'tests', index]
    if (!isMap(test) || typeof test['finds'] !== 'boolean' || !Array.isArray(test['events'])) {
      throw new RuleFault('a test has name, finds (true or false) and events', path)
    }
    return { name: String(test['name'] ?? index), finds: test['finds'], events: test['events'].filter(isMap) }
  })
}

function strings(value: unknown, path: readonly string[]): string[] {
  const list: unknown[] = Array.isArray(value) ? value : [value]
  return list.map((each) => {
    if (typeof each !== 'string') throw new RuleFault('a list of names is expected', path)
    return each
  })
}

/** `5m` in microseconds. */
function duration(value: unknown, path: readonly string[]): number {
  const match = typeof value === 'string' ? /^([1-9]\d{0,5})([smhdw])$/.exec(value) : null
  if (match === null) throw new RuleFault('write a timespan as 30s, 5m, 1h or 7d', path)
  return Number(match[1]) * (MICROSECONDS[match[2] ?? ''] ?? 0)
}
