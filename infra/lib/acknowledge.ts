import { Validations } from 'aws-cdk-lib/core'
import type { IConstruct } from 'constructs'

/** Accepts findings of cdk-nag on one resource: rule → why it does not apply. */
export function acknowledge(resource: IConstruct, reasons: Readonly<Record<string, string>>): void {
  for (const [id, reason] of Object.entries(reasons)) Validations.of(resource).acknowledge({ id, reason })
}
