/** Analyzes DuckDB's syntax tree of a statement: which tables and columns it reads. */
import { z } from 'zod'
import { AkashiError } from '../../foundation/index.ts'
import { checkNode } from './grammar.ts'

export type Node = Readonly<Record<string, unknown>>

const document = z.object({
  error: z.boolean(),
  error_type: z.string().optional(),
  error_message: z.string().optional(),
  statements: z.array(z.object({ node: z.record(z.string(), z.unknown()) })).optional(),
})

export interface TableRef {
  readonly schema: string
  readonly name: string
  readonly alias: string
}

/** A SELECT with its FROM and WHERE. */
export interface Block {
  readonly from: Node
  readonly where: Node | undefined
  /** Whether it has a SAMPLE clause; rows must then not be filtered beforehand. */
  readonly sampled: boolean
}

export interface Statement {
  /** Every named table. */
  readonly tables: readonly TableRef[]
  readonly blocks: readonly Block[]
  /** Names of WITH. */
  readonly local: ReadonlySet<string>
  /** Names of all columns that occur, in lower case; undefined if any column may be used. */
  readonly columns: ReadonlySet<string> | undefined
}

/** Reads the engine's syntax tree. @throws invalid_input when it is not exactly one SELECT */
export function readTree(text: string): Statement {
  const parsed = document.parse(JSON.parse(text))
  if (parsed.error) {
    const unfit = parsed.error_type === 'not implemented'
    throw new AkashiError(
      unfit ? 'forbidden' : 'invalid_input',
      unfit
        ? 'only SELECT is allowed'
        : `the query cannot be parsed: ${(parsed.error_message ?? '').split('\n')[0]}`,
      { hint: unfit ? 'to write the result to a file, use --output' : 'use the SQL of DuckDB' },
    )
  }
  const [statement, ...more] = parsed.statements ?? []
  if (statement === undefined || more.length > 0) {
    throw new AkashiError('invalid_input', `a query must be a single SELECT, not ${more.length + 1}`, {
      hint: 'run them one after the other',
    })
  }
  const walk = new Walk()
  walk.visit(statement.node)
  return walk.result()
}

export function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function textOf(node: Node, name: string): string {
  const value = node[name]
  return typeof value === 'string' ? value : ''
}

class Walk {
  readonly #tables: TableRef[] = []
  readonly #blocks: Block[] = []
  readonly #local = new Set<string>()
  readonly #columns = new Set<string>()
  /** Last components of column references. */
  readonly #values = new Set<string>()
  #anyColumn = false

  visit(value: unknown): void {
    if (Array.isArray(value)) {
      for (const each of value) this.visit(each)
      return
    }
    if (!isNode(value)) return
    checkNode(value)
    this.#note(value)
    for (const each of Object.values(value)) this.visit(each)
  }

  #note(node: Node): void {
    switch (textOf(node, 'type')) {
      case 'BASE_TABLE':
        this.#noteTable(node)
        break
      case 'SELECT_NODE': {
        const { from_table: from, where_clause: where } = node
        if (!isNode(from)) break
        this.#blocks.push({ from, where: isNode(where) ? where : undefined, sampled: isNode(node['sample']) })
        break
      }
      case 'JOIN':
        if (textOf(node, 'ref_type') === 'NATURAL') this.#anyColumn = true
        for (const name of namesIn(node['using_columns'])) this.#columns.add(name)
        break
      case 'RECURSIVE_CTE_NODE':
      case 'CTE_NODE':
        this.#local.add(textOf(node, 'cte_name').toLowerCase())
        break
      case 'SHOW_REF':
      case 'PIVOT':
        this.#anyColumn = true
        break
      default:
        this.#noteColumns(node)
    }
    const { cte_map: map } = node
    if (!isNode(map) || !Array.isArray(map['map'])) return
    for (const entry of map['map']) if (isNode(entry)) this.#local.add(textOf(entry, 'key').toLowerCase())
  }

  #noteTable(node: Node): void {
    if (textOf(node, 'catalog_name') !== '') {
      throw new AkashiError('invalid_input', 'table names can have a schema, but not a catalog')
    }
    const name = textOf(node, 'table_name').toLowerCase()
    const alias = textOf(node, 'alias').toLowerCase()
    this.#tables.push({
      schema: textOf(node, 'schema_name').toLowerCase(),
      name,
      alias: alias === '' ? name : alias,
    })
    if (namesIn(node['column_name_alias']).length > 0) this.#anyColumn = true
  }

  #noteColumns(node: Node): void {
    const kind = textOf(node, 'class')
    if (kind === 'STAR' || kind === 'POSITIONAL_REFERENCE') this.#anyColumn = true
    if (kind !== 'COLUMN_REF') return
    // A field of a struct column looks like a column of a table.
    const names = namesIn(node['column_names'])
    for (const name of names) this.#columns.add(name)
    this.#values.add(names.at(-1) ?? '')
  }

  result(): Statement {
    // A table name used as a value means its whole row.
    const whole = this.#tables.some(({ name, alias }) => this.#values.has(name) || this.#values.has(alias))
    return {
      tables: this.#tables,
      blocks: this.#blocks,
      local: this.#local,
      columns: this.#anyColumn || whole ? undefined : this.#columns,
    }
  }
}

function namesIn(value: unknown): string[] {
  return Array.isArray(value) ? value.map((name) => String(name).toLowerCase()) : []
}
