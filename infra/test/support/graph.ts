import { type Json, pathOf, type Resource, type Template } from './template.ts'

/** Resources that a value refers to within its stack. */
export function* referredIn(template: Template, value: Json): Generator<Resource> {
  if (typeof value !== 'object' || value === null) return
  const id = value.Ref ?? value['Fn::GetAtt']?.[0]
  const resource = template.resources[id]
  if (resource !== undefined) yield resource
  for (const part of Object.values(value)) yield* referredIn(template, part)
}

/** Paths of everything that CloudFormation has made before a resource: what it depends on and refers to, and so on. */
export function madeBefore(template: Template, resource: Resource): Set<string> {
  const found = new Set<Resource>()
  const visit = (one: Resource): void => {
    const named = (one.DependsOn ?? []).map((Ref) => template.referred({ Ref }))
    for (const before of [...named, ...referredIn(template, one.Properties)]) {
      if (found.has(before)) continue
      found.add(before)
      visit(before)
    }
  }
  visit(resource)
  return new Set([...found].map(pathOf))
}
