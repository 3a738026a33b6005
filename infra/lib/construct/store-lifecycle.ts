import { readFileSync } from 'node:fs'
import { type LifecycleRule, StorageClass } from 'aws-cdk-lib/aws-s3'
import { Duration } from 'aws-cdk-lib/core'

/** What `akashi ddl s3-lifecycle` prints for a bucket without a prefix. */
const RULES = new URL('../archive/lifecycle.json', import.meta.url)
/** What Akashi deletes can be brought back for so long; a shorter time would make a mistake final. */
const DELETED = Duration.days(30)

interface Rule {
  readonly ID: string
  readonly Filter: {
    readonly Prefix?: string
    readonly And?: { readonly Prefix: string; readonly ObjectSizeGreaterThan: number }
  }
  readonly Transitions?: readonly { readonly Days: number; readonly StorageClass: string }[]
  readonly AbortIncompleteMultipartUpload?: { readonly DaysAfterInitiation: number }
}

/** Cheaper tiers by the age of events, as Akashi prints them, and the end of what Akashi deleted. */
export function storeLifecycle(): LifecycleRule[] {
  const { Rules } = JSON.parse(readFileSync(RULES, 'utf8')) as { Rules: Rule[] }
  return [
    ...Rules.map(ruleOf),
    { id: 'deleted', noncurrentVersionExpiration: DELETED, expiredObjectDeleteMarker: true },
  ]
}

function ruleOf({ ID: id, Filter, Transitions, AbortIncompleteMultipartUpload: abort }: Rule): LifecycleRule {
  const prefix = Filter.And?.Prefix ?? Filter.Prefix ?? ''
  return {
    id,
    ...(prefix === '' ? {} : { prefix }),
    ...(Filter.And === undefined ? {} : { objectSizeGreaterThan: Filter.And.ObjectSizeGreaterThan }),
    ...(Transitions === undefined
      ? {}
      : {
          transitions: Transitions.map(({ Days, StorageClass: name }) => ({
            storageClass: new StorageClass(name),
            transitionAfter: Duration.days(Days),
          })),
        }),
    ...(abort === undefined
      ? {}
      : { abortIncompleteMultipartUploadAfter: Duration.days(abort.DaysAfterInitiation) }),
  }
}
