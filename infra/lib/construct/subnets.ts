import { type SubnetConfiguration, SubnetType } from 'aws-cdk-lib/aws-ec2'
import type { NewNetwork } from '../parameter.ts'

/** Prefix length of each subnet: 1,019 addresses. */
export const SUBNET_MASK = 22

/** Public subnets exist for NAT gateways alone. */
export function subnetsFor({ natGateways }: NewNetwork): SubnetConfiguration[] {
  const data = { name: 'Data', subnetType: SubnetType.PRIVATE_ISOLATED, cidrMask: SUBNET_MASK }
  const compute = { name: 'Compute', cidrMask: SUBNET_MASK }
  if (natGateways === 0) return [data, { ...compute, subnetType: SubnetType.PRIVATE_ISOLATED }]
  return [
    data,
    { ...compute, subnetType: SubnetType.PRIVATE_WITH_EGRESS },
    { name: 'Public', subnetType: SubnetType.PUBLIC, cidrMask: SUBNET_MASK, mapPublicIpOnLaunch: false },
  ]
}

export function subnetsNeeded(network: NewNetwork): number {
  return subnetsFor(network).length * network.availabilityZones.length
}
