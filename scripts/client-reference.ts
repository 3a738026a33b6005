/** The reference of the client: what each entry point exports, with its docstring and its types, from the sources. */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { z } from 'zod'

const Manifest = z.looseObject({ exports: z.record(z.string(), z.string()) })
/** Entry points that are not published. */
const HIDDEN = ['./trail', './evidence']
/** Packages of this repository in which types come from, with their folder. */
const CONTRACT = '@akashi/contract/'

interface Exported {
  readonly name: string
  readonly doc: string
  /** The public declaration, without its implementation. */
  readonly declaration: string
}

export function clientReference(): string {
  const { exports } = Manifest.parse(JSON.parse(readFileSync('client/package.json', 'utf8')))
  const sections = Object.entries(exports)
    .filter(([name]) => !HIDDEN.includes(name))
    .map(([name, source]) => section(`@akashi/client${name.slice(1)}`, join('client', source)))
  const text = sections.join('\n')
  // A type of the contract is named as the client exports it.
  const aliases = [...readFileSync('client/src/index.ts', 'utf8').matchAll(/(\w+) as (\w+)/g)]
  return aliases.reduce(
    (all, [, name = '', as = '']) => all.replaceAll(new RegExp(`\\b${name}\\b`, 'g'), as),
    text,
  )
}

function section(title: string, file: string): string {
  const lead = /^\/\*\*([\s\S]*?)\*\//.exec(readFileSync(file, 'utf8'))?.[1] ?? ''
  const items = exportedBy(file).map(({ name, doc, declaration }) =>
    [`### \`${name}\``, doc, `\`\`\`ts\n${declaration}\n\`\`\``].filter((part) => part !== '').join('\n\n'),
  )
  return [`## \`${title}\``, prose(lead), ...items]
    .filter((part) => part !== '')
    .join('\n\n')
    .concat('\n')
}

/** In the order of the source; a name of another file is looked up there. */
function exportedBy(file: string): Exported[] {
  const text = readFileSync(file, 'utf8')
  const found: Exported[] = []
  for (const [, list = '', from] of text.matchAll(/^export (?:type )?\{([^}]*)\}(?: from '([^']+)')?/gm)) {
    if (from === undefined) continue
    const source = from.startsWith(CONTRACT)
      ? join('contract', `${from.slice(CONTRACT.length)}.ts`)
      : join(dirname(file), from)
    for (const item of list.split(',').map((each) => each.trim().replace(/^type /, ''))) {
      if (item === '') continue
      const [original = '', as] = item.split(' as ')
      found.push({ ...declared(source, original), name: as ?? original })
    }
  }
  for (const [, name = ''] of text.matchAll(
    /^export (?:async )?(?:function|const|interface|type|class) (\w+)/gm,
  )) {
    found.push(declared(file, name))
  }
  return found
}

function declared(file: string, name: string): Exported {
  const text = readFileSync(file, 'utf8')
  const at = text.search(
    new RegExp(`^export (?:async )?(?:function|const|interface|type|class) ${name}\\b`, 'm'),
  )
  if (at < 0) {
    const [, from] =
      new RegExp(`^export [^\\n]*\\{[^}]*\\b${name}\\b[^}]*\\} from '(\\.[^']+)'`, 'm').exec(text) ?? []
    if (from === undefined) throw new Error(`${file} declares no ${name}`)
    return declared(join(dirname(file), from), name)
  }
  const doc = /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n$/.exec(text.slice(0, at))?.[1] ?? ''
  return { name, doc: prose(doc), declaration: declarationAt(text.slice(at)) }
}

/** Types are shown whole; of functions, constants and classes what comes before the code. */
function declarationAt(rest: string): string {
  const shown = rest.replace(/^export (async )?/, '')
  if (/^(interface|type) /.test(shown)) {
    const [whole = ''] = /^[\s\S]*?\n(?:\}|(?=\n))/.exec(shown) ?? [shown]
    return whole.trimEnd()
  }
  const [line = ''] = shown.split('\n')
  if (shown.startsWith('const ')) return line.replace(/ = .*$/, '')
  if (shown.startsWith('class ')) return line.replace(/ \{$/, '')
  const [header = ''] = /^[\s\S]*?\{(?=\n {2}\S|\}?\n)/.exec(shown) ?? [line]
  return header.replace(/\s*\{$/, '')
}

/** A docstring as text: links by name become code, and its tags become a list. */
function prose(doc: string): string {
  return doc
    .split('\n')
    .map((line) => line.trim().replace(/^\* ?/, ''))
    .join('\n')
    .trim()
    .replace(/\{@link (\w+)\}/g, '`$1`')
    .replace(/^@(param|returns|throws) ?(.*)$/gm, '- $1: $2')
}
