import assert from 'node:assert/strict'
import { type Json, pathOf, type Template } from '../support/template.ts'
import type { Check } from './check.ts'

const POSTGRES = 5432
const HTTPS = 443

const DATABASE = 'Network/DatabaseSecurityGroup'
const ENDPOINTS = 'Network/Endpoints/SecurityGroup'
const ROTATION = 'Database/RotationSecurityGroup'

/** CloudFormation leaves out the rule that lets everything out only where a rule takes its place. */
const NOTHING_OUT = [
  {
    CidrIp: '255.255.255.255/32',
    Description: 'Disallow all traffic',
    IpProtocol: 'icmp',
    FromPort: 252,
    ToPort: 86,
  },
]

/** `from → to : port`, for each rule of a type. */
function rules(template: Template, type: string, other: string): string[] {
  return template.ofType(type).map(({ Properties }) => {
    const { IpProtocol, FromPort, ToPort, Description, GroupId, [other]: peer, ...rest } = Properties
    assert.deepEqual(rest, {}, 'a rule names ports and two security groups')
    assert.equal(IpProtocol, 'tcp')
    assert.equal(FromPort, ToPort)
    for (const group of [GroupId, peer]) assert.equal(group['Fn::GetAtt'][1], 'GroupId')
    return `${pathOf(template.referred(GroupId))} ${pathOf(template.referred(peer))} ${FromPort}`
  })
}

function group(template: Template, path: string): Record<string, Json> {
  return template.only('AWS::EC2::SecurityGroup', path).Properties
}

export const securityGroupChecks: readonly Check[] = [
  {
    name: 'security groups: of the database, the endpoints and the rotation, in the VPC',
    verify: (template) => {
      assert.equal(template.ofType('AWS::EC2::SecurityGroup').length, 3)
      for (const path of [DATABASE, ENDPOINTS, ROTATION]) {
        template.assertRefers(group(template, path)['VpcId'], 'AWS::EC2::VPC', 'Network/Vpc')
      }
    },
  },
  {
    name: 'security groups: none admits an address range',
    verify: (template) => {
      for (const { Properties } of template.ofType('AWS::EC2::SecurityGroup')) {
        assert.equal(Properties['SecurityGroupIngress'], undefined)
      }
    },
  },
  {
    name: 'security groups: nothing leaves from the database or the endpoints',
    verify: (template) => {
      for (const path of [DATABASE, ENDPOINTS]) {
        assert.deepEqual(group(template, path)['SecurityGroupEgress'], NOTHING_OUT)
      }
      assert.equal(group(template, ROTATION)['SecurityGroupEgress'], undefined)
    },
  },
  {
    name: 'security groups: the database admits PostgreSQL from the rotation alone',
    verify: (template) => {
      const ingress = rules(template, 'AWS::EC2::SecurityGroupIngress', 'SourceSecurityGroupId')
      assert.deepEqual(ingress.toSorted(), [
        `${DATABASE} ${ROTATION} ${POSTGRES}`,
        `${ENDPOINTS} ${ROTATION} ${HTTPS}`,
      ])
    },
  },
  {
    name: 'security groups: the rotation reaches the database and the endpoints alone',
    verify: (template) => {
      const egress = rules(template, 'AWS::EC2::SecurityGroupEgress', 'DestinationSecurityGroupId')
      assert.deepEqual(egress.toSorted(), [
        `${ROTATION} ${DATABASE} ${POSTGRES}`,
        `${ROTATION} ${ENDPOINTS} ${HTTPS}`,
      ])
    },
  },
]
