import assert from 'node:assert/strict'

// biome-ignore lint/suspicious/noExplicitAny: a template is JSON; its checks say what shape they expect.
export type Json = any

export interface Resource {
  readonly Type: string
  readonly Properties: Record<string, Json>
  readonly DeletionPolicy?: string
  readonly UpdateReplacePolicy?: string
  readonly DependsOn?: string[]
  readonly Metadata?: Record<string, Json>
}

/** A synthesized template, and how its checks find resources in it. */
export class Template {
  readonly json: Json
  /** Stacks of the same environment, by the end of their names, which it may refer to. */
  readonly siblings: Readonly<Record<string, Template>>

  constructor(json: Json, siblings: Readonly<Record<string, Template>> = {}) {
    this.json = json
    this.siblings = siblings
  }

  get resources(): Record<string, Resource> {
    return this.json.Resources
  }

  ofType(type: string): Resource[] {
    return Object.values(this.resources).filter((resource) => resource.Type === type)
  }

  /** The only resource of a type, or of those whose path in the app ends so. */
  only(type: string, pathEnd = ''): Resource {
    const found = this.ofType(type).filter((resource) => pathOf(resource).endsWith(pathEnd))
    assert.equal(found.length, 1, `${found.length} resources ${type} ${pathEnd}`)
    return found[0] as Resource
  }

  /** The resource that a `Ref` or `Fn::GetAtt` names. */
  referred(value: Json): Resource {
    const id = value?.Ref ?? value?.['Fn::GetAtt']?.[0]
    const found = this.resources[id]
    assert.ok(found, `${JSON.stringify(value)} names no resource of this stack`)
    return found
  }

  /** Asserts that a value names the resource at a path, by its ARN or the attribute given. */
  assertRefers(value: Json, type: string, pathEnd: string, attribute?: string): void {
    const target = this.referred(value)
    assert.equal(target, this.only(type, pathEnd), `${JSON.stringify(value)} is not ${type} ${pathEnd}`)
    assert.equal(value['Fn::GetAtt']?.[1], attribute)
  }
}

/** Path of a resource in the app, below its stack and without the last step, which the CDK calls Resource. */
export function pathOf(resource: Resource): string {
  const path: string = resource.Metadata?.['aws:cdk:path'] ?? ''
  return path.replace(/^[^/]*\//, '').replace(/\/Resource$/, '')
}
