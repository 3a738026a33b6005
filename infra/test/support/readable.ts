import { environmentName } from '../../lib/names.ts'
import type { EnvironmentParameter } from '../../lib/parameter.ts'
import { type Json, pathOf, type Template } from './template.ts'

/**
 * A value of a template as a person writes it: references as `<path of the resource.attribute>`, those to another
 * stack as `<Stack: path.attribute>`, joined text in one piece and as a document where it is JSON, and what differs
 * between environments as `<account>`, `<region>` and `<name>`.
 */
export function readable(template: Template, parameter: EnvironmentParameter, value: Json): Json {
  const read = (inner: Json): Json => readable(template, parameter, inner)
  if (typeof value === 'string') return named(parameter, value)
  if (Array.isArray(value)) return value.map(read)
  if (typeof value !== 'object' || value === null) return value
  const reference = referenceIn(template, parameter, value)
  if (reference !== undefined) return reference
  const joined = value['Fn::Join']
  if (Array.isArray(joined)) return document(joined[1].map(read).map(inText).join(joined[0]))
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [named(parameter, key), read(inner)]))
}

const PSEUDO: Readonly<Record<string, string>> = {
  AccountId: '<account>',
  Region: '<region>',
  Partition: 'aws',
  URLSuffix: 'amazonaws.com',
}

function referenceIn(template: Template, parameter: EnvironmentParameter, value: Json): string | undefined {
  const { Ref: ref, 'Fn::GetAtt': attribute, 'Fn::GetStackOutput': output, 'Fn::Sub': text } = value
  if (typeof text === 'string') {
    return named(parameter, text).replaceAll(/\$\{AWS::(\w+)\}/g, (_, name) => PSEUDO[name] ?? name)
  }
  if (ref !== undefined) {
    return PSEUDO[String(ref).replace('AWS::', '')] ?? `<${pathIn(template, ref)}>`
  }
  if (attribute !== undefined) return `<${pathIn(template, attribute[0])}.${attribute[1]}>`
  if (output === undefined) return undefined
  const stack = output.StackName.split('-').at(-1)
  const other = template.siblings[stack]
  const inner = other === undefined ? undefined : other.json.Outputs[output.OutputName]?.Value
  return inner === undefined
    ? undefined
    : `<${stack}: ${String(readable(other as Template, parameter, inner)).replace(/^<|>$/g, '')}>`
}

function pathIn(template: Template, id: string): string {
  const resource = template.resources[id]
  return resource === undefined ? id : pathOf(resource)
}

/** Texts of a template, most of which are the same in thousands of its mutations. */
const names = new WeakMap<EnvironmentParameter, Map<string, string>>()

function named(parameter: EnvironmentParameter, text: string): string {
  const known = names.get(parameter) ?? new Map<string, string>()
  names.set(parameter, known)
  const found = known.get(text) ?? withNames(parameter, text)
  known.set(text, found)
  return found
}

function withNames(parameter: EnvironmentParameter, text: string): string {
  const name = environmentName(parameter)
  return (
    text
      .replaceAll(parameter.account ?? '<account>', '<account>')
      .replaceAll(parameter.region, '<region>')
      .replaceAll(name, '<name>')
      .replaceAll(name.replaceAll('-', '_'), '<name_>')
      // Names that the CDK makes unique.
      .replaceAll(/\b\w+?Service(Edge\w+?)[0-9A-F]{8}\b/g, '<unique $1>')
  )
}

function inText(part: Json): string {
  return typeof part === 'string' ? part : JSON.stringify(part)
}

function document(text: string): Json {
  if (!/^[{[]/.test(text)) return text
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
