import { ManagedPolicy, type PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Stack } from 'aws-cdk-lib/core'
import type { Construct } from 'constructs'
import { acknowledge } from '../acknowledge.ts'
import { asInFindings } from '../finding.ts'

/** They name no account when they take a role, so that a condition on it would keep them from it. */
const NAMES_NO_ACCOUNT = new Set(['cloudtrail'])

export interface ServiceRoleProps {
  /** Without `.amazonaws.com`. */
  readonly service: string
  readonly description: string
  /** A policy of AWS below `service-role/`, and why it is used instead of one of ours. */
  readonly awsPolicy?: { readonly name: string; readonly reason: string }
  readonly statements?: PolicyStatement[]
  /** Why a statement names no resource, where one does. */
  readonly anyResource?: string
  /** Resources with a wildcard → why they have one. */
  readonly wildcards?: Readonly<Record<string, string>>
  /** Fixed, where a policy elsewhere names the role. */
  readonly name?: string
}

/**
 * A role for one AWS service, on behalf of this account only (the role can be passed in its own account alone, and the
 * services that say for whom they act are asked in addition). Its rights are a managed policy: an inline one
 * does not show where policies are reviewed.
 */
export function serviceRole(scope: Construct, id: string, props: ServiceRoleProps): Role {
  const { service, description, awsPolicy, statements, anyResource } = props
  const role = new Role(scope, id, {
    assumedBy: new ServicePrincipal(
      `${service}.amazonaws.com`,
      NAMES_NO_ACCOUNT.has(service)
        ? {}
        : { conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(scope).account } } },
    ),
    description,
    ...(props.name === undefined ? {} : { roleName: props.name }),
  })
  if (awsPolicy !== undefined) {
    const name = `service-role/${awsPolicy.name}`
    role.addManagedPolicy(ManagedPolicy.fromAwsManagedPolicyName(name))
    acknowledge(role, {
      [`AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/${name}]`]: awsPolicy.reason,
    })
  }
  if (statements !== undefined) {
    const policy = new ManagedPolicy(role, 'Policy', { description, statements, roles: [role] })
    for (const [resource, reason] of Object.entries(props.wildcards ?? {})) {
      acknowledge(policy, { [`AwsSolutions-IAM5[Resource::${asInFindings(resource)}]`]: reason })
    }
    if (anyResource !== undefined) acknowledge(policy, { 'AwsSolutions-IAM5[Resource::*]': anyResource })
  }
  return role
}
