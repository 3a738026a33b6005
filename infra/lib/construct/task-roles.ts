import { PolicyStatement, type Role } from 'aws-cdk-lib/aws-iam'
import { Stack } from 'aws-cdk-lib/core'
import type { Construct } from 'constructs'
import { archiveBucketName, witnessBucketName } from '../names.ts'
import { tracing } from './collector.ts'
import { serviceRole } from './service-role.ts'

const ANY_TRACE = 'Traces have no resource that a policy could name.'

export interface TaskRolesProps {
  readonly name: string
  readonly personKeyringArn: string
  readonly archiveKeyArn: string
  readonly secretArns: readonly string[]
  readonly secretsKeyArn: string
  readonly logGroupArn: string
  /** Of the images of the tasks. */
  readonly repositoryArns: readonly string[]
  readonly tracing: boolean
  readonly witnessAccount?: string
}

/** What ECS does to start tasks, and what the tasks themselves do; each role once. */
export interface TaskRoles {
  readonly execution: Role
  readonly install: Role
  readonly serve: Role
  readonly work: Role
}

export function taskRoles(scope: Construct, props: TaskRolesProps): TaskRoles {
  const { name } = props
  const keyring = allow(['kms:Decrypt', 'kms:GenerateDataKey'], props.personKeyringArn)
  const store = `arn:${Stack.of(scope).partition}:s3:::${archiveBucketName(scope, name)}`
  const writing = [
    allow(['s3:ListBucket'], store),
    allow(
      [
        's3:AbortMultipartUpload',
        's3:DeleteObject',
        's3:GetObject',
        's3:PutObject',
        's3:PutObjectRetention',
        's3:RestoreObject',
      ],
      `${store}/*`,
    ),
    allow(['kms:Decrypt', 'kms:GenerateDataKey'], props.archiveKeyArn),
  ]
  const traces = props.tracing ? { statements: [tracing()], anyResource: ANY_TRACE } : { statements: [] }
  const everyObject = 'The store is one bucket of Akashi alone; its keys are made as data arrives.'
  const task = (
    id: string,
    description: string,
    statements: PolicyStatement[],
    buckets: string[] = [],
    anyResource?: string,
  ): Role =>
    serviceRole(scope, id, {
      service: 'ecs-tasks',
      name: `${name}-${id.toLowerCase()}`,
      description,
      statements,
      anyResource,
      wildcards: Object.fromEntries(buckets.map((bucket) => [`${bucket}/*`, everyObject])),
    })
  return {
    execution: executionRole(scope, props),
    install: task('Install', 'Installs Akashi in the database', [keyring]),
    serve: task(
      'Serve',
      'Serves HTTP',
      [keyring, ...writing, ...traces.statements],
      [store],
      traces.anyResource,
    ),
    work: workRole(scope, props, [keyring, ...writing], { [`${store}/*`]: everyObject }),
  }
}

/** Writes the copies of the sealed logs into the other account as well, and findings into Security Hub. */
function workRole(
  scope: Construct,
  props: TaskRolesProps,
  statements: PolicyStatement[],
  wildcards: Readonly<Record<string, string>>,
): Role {
  const copies = witness(scope, props)
  const elsewhere = copies.flatMap(({ resources }) => resources.filter((one) => one.endsWith('/*')))
  return serviceRole(scope, 'Work', {
    service: 'ecs-tasks',
    name: `${props.name}-work`,
    description: 'Seals, archives, verifies',
    statements: [...statements, ...copies, ...findings(scope), ...(props.tracing ? [tracing()] : [])],
    anyResource: props.tracing ? ANY_TRACE : undefined,
    wildcards: {
      ...wildcards,
      ...Object.fromEntries(
        elsewhere.map((one) => [
          one,
          'The bucket of copies and its key, which conditions and the other account name.',
        ]),
      ),
    },
  })
}

/** What a channel of the kind `security_hub` calls. */
function findings(scope: Construct): PolicyStatement[] {
  const { partition, region, account } = Stack.of(scope)
  const hub = `arn:${partition}:securityhub:${region}:${account}`
  return [
    allow(['securityhub:BatchImportFindings'], `${hub}:product/${account}/default`),
    allow(['securityhub:BatchUpdateFindings'], `${hub}:hub/default`),
  ]
}

function witness(scope: Construct, { name, witnessAccount }: TaskRolesProps): PolicyStatement[] {
  if (witnessAccount === undefined) return []
  const { partition, region } = Stack.of(scope)
  const bucket = `arn:${partition}:s3:::${witnessBucketName(name, witnessAccount)}`
  return [
    allow(['s3:ListBucket'], bucket),
    allow(
      ['s3:AbortMultipartUpload', 's3:DeleteObject', 's3:GetObject', 's3:PutObject', 's3:PutObjectRetention'],
      `${bucket}/*`,
    ),
    new PolicyStatement({
      actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
      resources: [`arn:${partition}:kms:${region}:${witnessAccount}:key/*`],
      conditions: { 'ForAnyValue:StringEquals': { 'kms:ResourceAliases': `alias/${name}/witness` } },
    }),
  ]
}

function executionRole(scope: Construct, props: TaskRolesProps): Role {
  const { region } = Stack.of(scope)
  return serviceRole(scope, 'Execution', {
    service: 'ecs-tasks',
    description: 'Starts the tasks: image, secrets, log',
    statements: [
      allow(
        ['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'],
        ...props.repositoryArns,
      ),
      allow(['ecr:GetAuthorizationToken'], '*'),
      allow(['logs:CreateLogStream', 'logs:PutLogEvents'], `${props.logGroupArn}`),
      allow(['secretsmanager:GetSecretValue'], ...props.secretArns),
      new PolicyStatement({
        actions: ['kms:Decrypt'],
        resources: [props.secretsKeyArn],
        conditions: { StringEquals: { 'kms:ViaService': `secretsmanager.${region}.amazonaws.com` } },
      }),
    ],
    anyResource: 'The token for the registry is of the account and names no resource.',
  })
}

function allow(actions: string[], ...resources: string[]): PolicyStatement {
  return new PolicyStatement({ actions, resources })
}
