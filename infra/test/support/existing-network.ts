import type { ExistingNetwork } from '../../lib/parameter.ts'

export const existingNetwork: ExistingNetwork = {
  vpcId: 'vpc-0123456789abcdef0',
  cidr: '10.9.0.0/16',
  availabilityZones: ['ap-northeast-1a', 'ap-northeast-1c'],
  dataSubnetIds: ['subnet-0000000000000000a', 'subnet-0000000000000000c'],
  computeSubnetIds: ['subnet-1111111111111111a', 'subnet-1111111111111111c'],
}
