import assert from 'node:assert/strict'
import type { EnvironmentParameter } from '../../lib/parameter.ts'
import { type Json, pathOf, type Resource, type Template } from '../support/template.ts'
import { accountOf, assertPolicy, type Check, type Statement } from './check.ts'

const PULL = ['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer']

/** Service → what may pass, on resources and without one. */
interface Passing {
  readonly actions?: string[]
  readonly withoutResource?: string[]
}

const ALWAYS: Readonly<Record<string, Passing>> = {
  kms: { actions: ['kms:Decrypt', 'kms:DescribeKey', 'kms:GenerateDataKey'] },
  secretsmanager: {
    actions: ['DescribeSecret', 'GetSecretValue', 'PutSecretValue', 'UpdateSecretVersionStage'].map(
      (action) => `secretsmanager:${action}`,
    ),
    withoutResource: ['secretsmanager:GetRandomPassword'],
  },
  logs: { actions: ['logs:CreateLogStream', 'logs:DescribeLogStreams', 'logs:PutLogEvents'] },
  sts: { actions: ['sts:AssumeRole'], withoutResource: ['sts:GetCallerIdentity'] },
  'ecr.api': { actions: PULL, withoutResource: ['ecr:GetAuthorizationToken'] },
  'ecr.dkr': { actions: PULL, withoutResource: ['ecr:GetAuthorizationToken'] },
}
const XRAY: Readonly<Record<string, Passing>> = { xray: { withoutResource: ['xray:PutTraceSegments'] } }

function interfacesOf({ service }: EnvironmentParameter): Readonly<Record<string, Passing>> {
  return { ...ALWAYS, ...(service.tracing === undefined ? {} : XRAY) }
}

const BUCKETS =
  'AbortMultipartUpload DeleteObject GetBucketLocation GetObject GetObjectVersion ListBucket ListBucketMultipartUploads ListMultipartUploadParts PutObject PutObjectRetention RestoreObject'
    .split(' ')
    .map((action) => `s3:${action}`)

/** Both ends of a call: of the organisation where there is one, otherwise of the account. */
function ends(parameter: EnvironmentParameter): { caller: Json; resource: Json } {
  const { organizationId } = parameter
  return organizationId === undefined
    ? {
        caller: { 'aws:PrincipalAccount': accountOf(parameter) },
        resource: { 'aws:ResourceAccount': accountOf(parameter) },
      }
    : { caller: { 'aws:PrincipalOrgID': organizationId }, resource: { 'aws:ResourceOrgID': organizationId } }
}

function statements(parameter: EnvironmentParameter, { actions, withoutResource }: Passing): Statement[] {
  const { caller, resource } = ends(parameter)
  const Principal = { AWS: '*' }
  return [
    ...(actions === undefined
      ? []
      : [
          {
            Sid: 'OwnResources',
            Principal,
            Action: actions,
            Condition: { StringEquals: { ...caller, ...resource } },
          },
        ]),
    ...(withoutResource === undefined
      ? []
      : [
          { Sid: 'WithoutResource', Principal, Action: withoutResource, Condition: { StringEquals: caller } },
        ]),
  ]
}

function endpoints(template: Template, type: string): Resource[] {
  return template
    .ofType('AWS::EC2::VPCEndpoint')
    .filter(({ Properties }) => Properties['VpcEndpointType'] === type)
}

function zonesOf({ network }: EnvironmentParameter): number {
  return 'endpointZones' in network ? network.endpointZones : 0
}

export const endpointChecks: readonly Check[] = [
  {
    name: 'endpoints: interfaces for KMS, Secrets Manager, Logs, STS and ECR, and X-Ray where there are traces',
    verify: (template, parameter) => {
      const { region } = parameter
      const expected =
        zonesOf(parameter) === 0
          ? []
          : Object.keys(interfacesOf(parameter)).map((service) => `com.amazonaws.${region}.${service}`)
      const found = endpoints(template, 'Interface').map(({ Properties }) => Properties['ServiceName'])
      assert.deepEqual(found, expected)
      assert.equal(endpoints(template, 'Gateway').length, 1)
      assert.equal(template.ofType('AWS::EC2::VPCEndpoint').length, expected.length + 1)
    },
  },
  {
    name: 'endpoints: in the compute subnets, by the usual names, behind their security group',
    verify: (template, parameter) => {
      for (const { Properties } of endpoints(template, 'Interface')) {
        template.assertRefers(Properties['VpcId'], 'AWS::EC2::VPC', 'Network/Vpc')
        assert.equal(Properties['PrivateDnsEnabled'], true)
        const places = Properties['SubnetIds'].map((subnet: Json) => pathOf(template.referred(subnet)))
        assert.equal(new Set(places).size, zonesOf(parameter))
        assert.equal(places.length, zonesOf(parameter))
        for (const place of places) assert.match(place, /\/ComputeSubnet\d\/Subnet$/)
        assert.equal(Properties['SecurityGroupIds'].length, 1)
        const [group] = Properties['SecurityGroupIds']
        template.assertRefers(group, 'AWS::EC2::SecurityGroup', 'Endpoints/SecurityGroup', 'GroupId')
      }
    },
  },
  {
    name: 'endpoints: only the calls that are needed, from and to this account or organisation',
    verify: (template, parameter) => {
      for (const { Properties } of endpoints(template, 'Interface')) {
        const service = Properties['ServiceName'].replace(`com.amazonaws.${parameter.region}.`, '')
        const allowed = interfacesOf(parameter)[service]
        assert.ok(allowed)
        assertPolicy(Properties['PolicyDocument'], statements(parameter, allowed))
      }
    },
  },
  {
    name: 'endpoints: S3 by a gateway of the compute subnets, to buckets of this account or organisation',
    verify: (template, parameter) => {
      const [gateway] = endpoints(template, 'Gateway')
      const { Properties } = gateway as Resource
      template.assertRefers(Properties['VpcId'], 'AWS::EC2::VPC', 'Network/Vpc')
      assert.deepEqual(Properties['ServiceName'], {
        'Fn::Join': ['', ['com.amazonaws.', { Ref: 'AWS::Region' }, '.s3']],
      })
      const tables = Properties['RouteTableIds'].map((table: Json) => pathOf(template.referred(table)))
      assert.equal(tables.length, parameter.network.availabilityZones.length)
      assert.equal(new Set(tables).size, tables.length)
      for (const table of tables) assert.match(table, /\/ComputeSubnet\d\/RouteTable$/)
      assertPolicy(Properties['PolicyDocument'], [
        ...statements(parameter, { actions: BUCKETS }),
        {
          Sid: 'ImageLayers',
          Principal: { AWS: '*' },
          Action: ['s3:GetObject'],
          Resource: `arn:aws:s3:::prod-${parameter.region}-starport-layer-bucket/*`,
        },
      ])
    },
  },
]
