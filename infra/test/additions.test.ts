/** What nobody asked for: settings and resources that would open something, each noticed by a check. */
import { describe, expect, test } from 'vitest'
import { prod } from '../parameter.ts'
import { checks } from './checks/index.ts'
import { idOf } from './checks/network.ts'
import { synthesize } from './support/synthesize.ts'
import { type Json, Template } from './support/template.ts'

interface Addition {
  readonly what: string
  add(template: Template): void
}

const everybody = { Effect: 'Allow', Principal: '*', Action: '*', Resource: '*' }

function set(what: string, type: string, pathEnd: string, properties: Record<string, Json>): Addition {
  return {
    what,
    add: (template) => Object.assign(template.only(type, pathEnd).Properties, properties),
  }
}

function resource(
  what: string,
  type: string,
  properties: (template: Template) => Record<string, Json>,
): Addition {
  const Metadata = { 'aws:cdk:path': 'Akashi-prod-Data/Added/Resource' }
  return {
    what,
    add: (template) => {
      // With the tags of everything else, so that it is not for their lack that it is noticed.
      const { Tags } = template.only('AWS::EC2::SecurityGroup', 'DatabaseSecurityGroup').Properties
      template.resources['Added'] = { Type: type, Properties: { Tags, ...properties(template) }, Metadata }
    },
  }
}

const groupId = (template: Template): Json => ({
  'Fn::GetAtt': [
    idOf(template, template.only('AWS::EC2::SecurityGroup', 'DatabaseSecurityGroup')),
    'GroupId',
  ],
})
const open = { IpProtocol: '-1', CidrIp: '0.0.0.0/0' }

const additions: readonly Addition[] = [
  set('the Data API', 'AWS::RDS::DBCluster', '', { EnableHttpEndpoint: true }),
  set('a publicly accessible cluster', 'AWS::RDS::DBCluster', '', { PubliclyAccessible: true }),
  set('a role of the cluster', 'AWS::RDS::DBCluster', '', { AssociatedRoles: [{ RoleArn: 'arn' }] }),
  set('a restore from somewhere', 'AWS::RDS::DBCluster', '', { SnapshotIdentifier: 'other' }),
  set('an inline rule of the database', 'AWS::EC2::SecurityGroup', 'Network/DatabaseSecurityGroup', {
    SecurityGroupIngress: [open],
  }),
  set('an inline rule of the rotation', 'AWS::EC2::SecurityGroup', 'RotationSecurityGroup', {
    SecurityGroupEgress: [open],
  }),
  set('inline rights', 'AWS::IAM::Role', 'Backup/Role', { Policies: [{ PolicyDocument: everybody }] }),
  set('a website', 'AWS::S3::Bucket', 'AccessLogs/Bucket', { WebsiteConfiguration: {} }),
  set('a public list', 'AWS::S3::Bucket', 'Audit/Reports', { AccessControl: 'PublicRead' }),
  set('IPv6 of a subnet', 'AWS::EC2::Subnet', 'DataSubnet1/Subnet', { AssignIpv6AddressOnCreation: true }),
  resource('a rule from an address range', 'AWS::EC2::SecurityGroupIngress', (template) => ({
    ...open,
    GroupId: groupId(template),
  })),
  resource('a rule to an address range', 'AWS::EC2::SecurityGroupEgress', (template) => ({
    ...open,
    GroupId: groupId(template),
  })),
  resource('a security group', 'AWS::EC2::SecurityGroup', () => ({ SecurityGroupIngress: [open] })),
  resource('a route out of a data subnet', 'AWS::EC2::Route', (template) => ({
    RouteTableId: { Ref: idOf(template, template.only('AWS::EC2::RouteTable', 'DataSubnet1/RouteTable')) },
    DestinationCidrBlock: '0.0.0.0/0',
    GatewayId: { Ref: idOf(template, template.only('AWS::EC2::InternetGateway')) },
  })),
  resource('an endpoint', 'AWS::EC2::VPCEndpoint', () => ({
    VpcEndpointType: 'Interface',
    ServiceName: 'x',
  })),
  resource('a subnet', 'AWS::EC2::Subnet', () => ({ MapPublicIpOnLaunch: true })),
  resource('a key', 'AWS::KMS::Key', () => ({ KeyPolicy: { Statement: [everybody] } })),
  resource('a role', 'AWS::IAM::Role', () => ({ AssumeRolePolicyDocument: { Statement: [everybody] } })),
  resource('a managed policy', 'AWS::IAM::ManagedPolicy', () => ({
    PolicyDocument: { Statement: [everybody] },
  })),
  resource('an inline policy', 'AWS::IAM::Policy', () => ({ PolicyDocument: { Statement: [everybody] } })),
  resource('a user', 'AWS::IAM::User', () => ({})),
  resource('a database', 'AWS::RDS::DBCluster', () => ({ Engine: 'aurora-postgresql' })),
  resource('an instance', 'AWS::RDS::DBInstance', () => ({ PubliclyAccessible: true })),
  resource('a bucket', 'AWS::S3::Bucket', () => ({})),
  resource('a bucket policy', 'AWS::S3::BucketPolicy', (template) => ({
    Bucket: { Ref: idOf(template, template.only('AWS::S3::Bucket', 'AccessLogs/Bucket')) },
    PolicyDocument: { Statement: [everybody] },
  })),
  resource('a log group', 'AWS::Logs::LogGroup', () => ({})),
  resource('a vault', 'AWS::Backup::BackupVault', () => ({})),
  resource('a secret', 'AWS::SecretsManager::Secret', () => ({})),
  resource('a function', 'AWS::Lambda::Function', () => ({})),
  resource('a type that nobody has judged', 'AWS::SNS::TopicPolicy', () => ({})),
]

describe('noticed', () => {
  const { Data } = synthesize(prod)
  test.each(additions)('$what', ({ add }) => {
    const template = new Template(structuredClone(Data?.json))
    add(template)
    const failing = (checks['Data'] ?? []).filter(({ verify }) => {
      try {
        verify(template, prod)
        return false
      } catch {
        return true
      }
    })
    expect(failing.map(({ name }) => name)).not.toEqual([])
  })

  test('nothing without an addition', () => {
    for (const { verify } of checks['Data'] ?? []) verify(Data as Template, prod)
  })
})
