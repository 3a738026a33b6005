/** A network that the account already has is used, not made. */
import { describe, expect, test } from 'vitest'
import type { EnvironmentParameter } from '../lib/parameter.ts'
import { prod } from '../parameter.ts'
import { checks, ownNetworkChecks } from './checks/index.ts'
import { existingNetwork } from './support/existing-network.ts'
import { synthesize } from './support/synthesize.ts'
import type { Template } from './support/template.ts'

const network = existingNetwork
const EXISTING_GROUP = 'sg-0123456789abcdef0'

function data(parameter: EnvironmentParameter): Template {
  return synthesize(parameter)['Data'] as Template
}

describe('an existing VPC', () => {
  const template = data({ ...prod, network })

  test('no part of a network is made', () => {
    for (const type of [
      'VPC',
      'Subnet',
      'RouteTable',
      'Route',
      'NatGateway',
      'InternetGateway',
      'VPCEndpoint',
      'FlowLog',
    ]) {
      expect(template.ofType(`AWS::EC2::${type}`)).toEqual([])
    }
    expect(template.ofType('AWS::Lambda::Function')).toEqual([])
  })

  test('the database is in its data subnets', () => {
    const { SubnetIds } = template.only('AWS::RDS::DBSubnetGroup').Properties
    expect(SubnetIds).toEqual(network.dataSubnetIds)
  })

  test('the secret is rotated from its compute subnets, with a way to AWS', () => {
    const { HostedRotationLambda } = template.only('AWS::SecretsManager::RotationSchedule').Properties
    expect(HostedRotationLambda.VpcSubnetIds).toBe(network.computeSubnetIds.join())
    const rotation = template.only('AWS::EC2::SecurityGroup', 'RotationSecurityGroup').Properties
    expect(rotation['SecurityGroupEgress']).toEqual([
      {
        CidrIp: '0.0.0.0/0',
        Description: 'HTTPS to AWS services',
        IpProtocol: 'tcp',
        FromPort: 443,
        ToPort: 443,
      },
    ])
  })

  test('security groups are made in it; the database admits the rotation alone', () => {
    for (const { Properties } of template.ofType('AWS::EC2::SecurityGroup'))
      expect(Properties['VpcId']).toBe(network.vpcId)
    const [rule, ...more] = template.ofType('AWS::EC2::SecurityGroupIngress')
    expect(more).toEqual([])
    expect(rule?.Properties).toMatchObject({ FromPort: 5432, ToPort: 5432 })
  })

  const skipped = new Set([
    ...ownNetworkChecks,
    // These ask for subnets and groups of our own.
    ...(checks['Data'] ?? []).filter(({ name }) =>
      /data subnets of every zone|compute subnets|default security group|takes its own role|log groups? of|named as the service|each for one service|attached to the role|flow logs/.test(
        name,
      ),
    ),
  ])
  test.each((checks['Data'] ?? []).filter((check) => !skipped.has(check)))('$name', ({ verify }) =>
    verify(template, { ...prod, network }),
  )
})

describe('an existing security group', () => {
  const template = data({ ...prod, network: { ...network, databaseSecurityGroupId: EXISTING_GROUP } })

  test('protects the database', () => {
    expect(template.only('AWS::RDS::DBCluster').Properties['VpcSecurityGroupIds']).toEqual([EXISTING_GROUP])
  })

  test('gets one rule: PostgreSQL from the rotation', () => {
    const [rule, ...more] = template.ofType('AWS::EC2::SecurityGroupIngress')
    expect(more).toEqual([])
    expect(rule?.Properties).toMatchObject({
      GroupId: EXISTING_GROUP,
      IpProtocol: 'tcp',
      FromPort: 5432,
      ToPort: 5432,
    })
    template.assertRefers(
      rule?.Properties['SourceSecurityGroupId'],
      'AWS::EC2::SecurityGroup',
      'RotationSecurityGroup',
      'GroupId',
    )
  })
})
