import assert from 'node:assert/strict'
import type { EnvironmentParameter, NewNetwork } from '../../lib/parameter.ts'
import type { Json, Resource, Template } from '../support/template.ts'
import { pathOf } from '../support/template.ts'
import { accountOf, assertSettings, type Check } from './check.ts'
import { assertDisjoint } from './cidr.ts'

const ANYWHERE = '0.0.0.0/0'

function networkOf({ network }: EnvironmentParameter): NewNetwork {
  assert.ok('natGateways' in network)
  return network
}

/** Subnets of a kind: `Data`, `Compute` or `Public`. */
function subnets(template: Template, kind: string): Resource[] {
  return template.ofType('AWS::EC2::Subnet').filter((subnet) => pathOf(subnet).includes(`/${kind}Subnet`))
}

/** The routes of a subnet, by the route table that it is associated with. */
function routesOf(template: Template, subnet: Resource): Resource[] {
  const [association, ...more] = template
    .ofType('AWS::EC2::SubnetRouteTableAssociation')
    .filter(({ Properties }) => template.referred(Properties['SubnetId']) === subnet)
  assert.ok(association !== undefined && more.length === 0, 'a subnet has one route table')
  const table = template.referred(association.Properties['RouteTableId'])
  assert.equal(table.Type, 'AWS::EC2::RouteTable')
  return template
    .ofType('AWS::EC2::Route')
    .filter(({ Properties }) => template.referred(Properties['RouteTableId']) === table)
}

function assertInVpc(template: Template, value: Json): void {
  template.assertRefers(value, 'AWS::EC2::VPC', 'Network/Vpc')
}

export const networkChecks: readonly Check[] = [
  {
    name: 'network: a VPC of its own range, with DNS',
    verify: (template, parameter) => {
      assertSettings(template.only('AWS::EC2::VPC').Properties, {
        CidrBlock: networkOf(parameter).cidr,
        EnableDnsHostnames: true,
        EnableDnsSupport: true,
        InstanceTenancy: 'default',
      })
    },
  },
  {
    name: 'network: data and compute subnets in every zone, public ones for NAT only',
    verify: (template, parameter) => {
      const { availabilityZones, natGateways } = networkOf(parameter)
      for (const kind of ['Data', 'Compute', 'Public']) {
        const zones = subnets(template, kind).map(({ Properties }) => Properties['AvailabilityZone'])
        assert.deepEqual(zones, kind === 'Public' && natGateways === 0 ? [] : availabilityZones)
      }
      assert.equal(
        template.ofType('AWS::EC2::Subnet').length,
        availabilityZones.length * (natGateways === 0 ? 2 : 3),
      )
    },
  },
  {
    name: 'network: subnets lie in the range of the VPC and do not overlap',
    verify: (template, parameter) => {
      const ranges = template.ofType('AWS::EC2::Subnet').map(({ Properties }) => Properties['CidrBlock'])
      assertDisjoint(networkOf(parameter).cidr, ranges)
    },
  },
  {
    name: 'network: no subnet gives out public addresses',
    verify: (template) => {
      for (const { Properties } of template.ofType('AWS::EC2::Subnet')) {
        assertInVpc(template, Properties['VpcId'])
        assert.equal(Properties['MapPublicIpOnLaunch'], false)
        assert.deepEqual(Object.keys(Properties).toSorted(), [
          'AvailabilityZone',
          'CidrBlock',
          'MapPublicIpOnLaunch',
          'Tags',
          'VpcId',
        ])
      }
    },
  },
  {
    name: 'network: data subnets have no route out',
    verify: (template) => {
      for (const subnet of subnets(template, 'Data')) assert.deepEqual(routesOf(template, subnet), [])
    },
  },
  {
    name: 'network: compute subnets reach the Internet through NAT only',
    verify: (template, parameter) => {
      const { natGateways } = networkOf(parameter)
      for (const subnet of subnets(template, 'Compute')) {
        const routes = routesOf(template, subnet)
        assert.equal(routes.length, natGateways === 0 ? 0 : 1)
        for (const { Properties } of routes) {
          assert.equal(Properties['DestinationCidrBlock'], ANYWHERE)
          assert.equal(template.referred(Properties['NatGatewayId']).Type, 'AWS::EC2::NatGateway')
          assert.equal(Object.keys(Properties).length, 3)
        }
      }
    },
  },
  {
    name: 'network: public subnets reach the Internet by the gateway of the VPC',
    verify: (template, parameter) => {
      const { natGateways } = networkOf(parameter)
      const gateways = natGateways === 0 ? 0 : 1
      assert.equal(template.ofType('AWS::EC2::InternetGateway').length, gateways)
      assert.equal(template.ofType('AWS::EC2::VPCGatewayAttachment').length, gateways)
      for (const { Properties } of template.ofType('AWS::EC2::VPCGatewayAttachment')) {
        assertInVpc(template, Properties['VpcId'])
        assert.equal(template.referred(Properties['InternetGatewayId']).Type, 'AWS::EC2::InternetGateway')
      }
      for (const subnet of subnets(template, 'Public')) {
        const [route, ...more] = routesOf(template, subnet)
        assert.equal(more.length, 0)
        assert.equal(route?.Properties['DestinationCidrBlock'], ANYWHERE)
        assert.equal(template.referred(route?.Properties['GatewayId']).Type, 'AWS::EC2::InternetGateway')
        assert.equal(Object.keys(route?.Properties ?? {}).length, 3)
      }
    },
  },
  {
    name: 'network: route tables and their routes belong to a subnet of the VPC',
    verify: (template) => {
      const tables = template.ofType('AWS::EC2::RouteTable')
      for (const { Properties } of tables) assertInVpc(template, Properties['VpcId'])
      assert.equal(tables.length, template.ofType('AWS::EC2::Subnet').length)
      const routes = template.ofType('AWS::EC2::Subnet').flatMap((subnet) => routesOf(template, subnet))
      assert.equal(routes.length, template.ofType('AWS::EC2::Route').length)
    },
  },
  {
    name: 'network: NAT gateways as many as asked for, each in a public subnet of its own',
    verify: (template, parameter) => {
      const { natGateways } = networkOf(parameter)
      const gateways = template.ofType('AWS::EC2::NatGateway')
      assert.equal(gateways.length, natGateways)
      const places = new Set(gateways.map(({ Properties }) => template.referred(Properties['SubnetId'])))
      assert.equal(places.size, natGateways)
      for (const place of places) assert.ok(subnets(template, 'Public').includes(place))
      const addresses = new Set(
        gateways.map(({ Properties }) => template.referred(Properties['AllocationId'])),
      )
      assert.deepEqual([...addresses], template.ofType('AWS::EC2::EIP'))
      for (const { Properties } of addresses) assert.equal(Properties['Domain'], 'vpc')
      for (const { Properties } of gateways) {
        assert.equal(Properties['AllocationId']['Fn::GetAtt'][1], 'AllocationId')
        assert.deepEqual(Object.keys(Properties).toSorted(), ['AllocationId', 'SubnetId', 'Tags'])
      }
    },
  },
  {
    name: 'network: the default security group of the VPC is emptied',
    verify: (template, parameter) => {
      const { Properties } = template.only('Custom::VpcRestrictDefaultSG')
      assert.deepEqual(Properties['DefaultSecurityGroupId'], {
        'Fn::GetAtt': [idOf(template, template.only('AWS::EC2::VPC')), 'DefaultSecurityGroup'],
      })
      assert.deepEqual(Properties['Account'], accountOf(parameter))
      template.assertRefers(Properties['ServiceToken'], 'AWS::Lambda::Function', '', 'Arn')
    },
  },
  {
    name: 'network: every flow is recorded, each minute',
    verify: (template) => {
      const { Properties } = template.only('AWS::EC2::FlowLog')
      assertInVpc(template, Properties['ResourceId'])
      template.assertRefers(Properties['LogGroupName'], 'AWS::Logs::LogGroup', 'Network/FlowLogs')
      template.assertRefers(
        Properties['DeliverLogsPermissionArn'],
        'AWS::IAM::Role',
        'Network/FlowLogsRole',
        'Arn',
      )
      const { ResourceId, LogGroupName, DeliverLogsPermissionArn, ...settings } = Properties
      assertSettings(settings, {
        ResourceType: 'VPC',
        TrafficType: 'ALL',
        LogDestinationType: 'cloud-watch-logs',
        MaxAggregationInterval: 60,
      })
    },
  },
]

export function idOf(template: Template, resource: Resource): string {
  const [id] = Object.entries(template.resources).find(([, candidate]) => candidate === resource) ?? []
  assert.ok(id)
  return id
}
