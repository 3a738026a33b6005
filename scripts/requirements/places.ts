/** Places named by rows: repository paths, database objects and commands. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { ObjectKind } from './objects.ts'

/** Allowed top-level folders of paths. */
const TOP_FOLDERS = [
  'contract',
  'deploy',
  'migrations',
  'rules',
  'src',
  'web',
  'infra',
  'test',
  'bench',
  'scripts',
  'docs',
]
const COMMAND = /^akashi (.+)$/

/** The product in which places are looked up. */
export interface Product {
  readonly root: string
  readonly objects: ReadonlyMap<string, ObjectKind>
  /** All CLI commands without `akashi`, such as `archive run`. */
  readonly commands: ReadonlySet<string>
}

/** Returns the problem of a place, or undefined if it exists. */
export function placeProblem(place: string, product: Product): string | undefined {
  if (isPath(place)) return existsSync(join(product.root, place)) ? undefined : 'does not exist'
  const [, command] = COMMAND.exec(place) ?? []
  if (command !== undefined) {
    return product.commands.has(command) ? undefined : 'is not a CLI command'
  }
  const kind = product.objects.get(place.replace(/\(\)$/, ''))
  if (kind === undefined) return 'is not in migrations/schema.sql'
  if ((kind === 'function') !== place.endsWith('()')) {
    return kind === 'function' ? 'is a function: write it with ()' : 'is not a function'
  }
  return undefined
}

/**
 * Whether a text contains the name of a place: a path in full; a table, view, role or schema by its full name; a
 * column or other part of a table by its name and that of the table; other objects of a schema by their name; a
 * command by its words in sequence.
 */
export function isNamedIn(text: string, place: string, { objects }: Product): boolean {
  if (isPath(place)) return text.includes(place)
  const [, command] = COMMAND.exec(place) ?? []
  if (command !== undefined) return new RegExp(`\\b${command.split(' ').join('\\W+')}\\b`).test(text)
  const name = place.replace(/\(\)$/, '')
  const parts = name.split('.')
  switch (objects.get(name)) {
    case 'part':
      return parts.slice(1).every((part) => isWordIn(text, part))
    case 'function':
    case 'other':
      return isWordIn(text, parts.at(-1) ?? '')
    default:
      return isWordIn(text, name)
  }
}

function isPath(place: string): boolean {
  const [top = ''] = place.split('/')
  return TOP_FOLDERS.includes(top)
}

function isWordIn(text: string, word: string): boolean {
  return new RegExp(`\\b${word.replaceAll('.', '[.]')}\\b`).test(text)
}
