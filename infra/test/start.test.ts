/** What a template can say and CloudFormation would accept, and what then would not start. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { dev, prod } from '../parameter.ts'
import { madeBefore } from './support/graph.ts'
import { synthesize } from './support/synthesize.ts'
import { type Json, pathOf, type Template } from './support/template.ts'

const CONTAINERFILE = join(import.meta.dirname, '../../deploy/Containerfile')

/** Paths of the resources of a type, those that begin so. */
function paths(template: Template, type: string, beginning = ''): string[] {
  return template
    .ofType(type)
    .map(pathOf)
    .filter((path) => path.startsWith(beginning))
}

describe.each([prod, dev])('$environment', (parameter) => {
  const { Data, Service } = synthesize(parameter) as Record<'Data' | 'Service', Template>

  test('the installation runs when its rights, its keyring and its ways are there', () => {
    const before = madeBefore(Service, Service.only('Custom::AkashiInstallation'))
    const needed = [
      'Roles/Install/Policy',
      'Roles/Execution/Policy',
      ...paths(Service, 'AWS::EFS::MountTarget'),
      ...paths(Service, 'AWS::EC2::SecurityGroupIngress', 'Keyring/'),
      ...paths(Service, 'AWS::EC2::SecurityGroupIngress', 'DatabaseSecurityGroup/'),
      ...paths(Service, 'AWS::EC2::SecurityGroupIngress', 'EndpointsSecurityGroup/'),
      ...paths(Service, 'AWS::EC2::SecurityGroupEgress', 'Tasks/'),
    ]
    expect(needed.length).toBeGreaterThan(9)
    for (const one of needed) expect([...before]).toContain(one)
  })

  test.each(['serve', 'work'])('%s runs after the installation, and reaches Valkey', (name) => {
    const service = `${name[0]?.toUpperCase()}${name.slice(1)}Service/Service`
    const before = [...madeBefore(Service, Service.only('AWS::ECS::Service', service))]
    expect(before).toContain('Initializer/Resource/Default')
    expect(before).toContain('Cache/Cluster')
    for (const rule of paths(Service, 'AWS::EC2::SecurityGroupIngress', 'Cache/'))
      expect(before).toContain(rule)
  })

  test('the secret is rotated, which begins at once, when there is a database and a way to it', () => {
    const before = [...madeBefore(Data, Data.only('AWS::SecretsManager::RotationSchedule'))]
    for (const one of [
      'Database/Cluster/Writer',
      ...paths(Data, 'AWS::EC2::SecurityGroupIngress'),
      ...paths(Data, 'AWS::EC2::SecurityGroupEgress'),
      ...paths(Data, 'AWS::EC2::VPCEndpoint'),
      ...paths(Data, 'AWS::EC2::Route'),
    ]) {
      expect(before).toContain(one)
    }
  })

  test('log groups that a service would make itself, without a key and for ever, are there first', () => {
    const rotation = madeBefore(Data, Data.only('AWS::SecretsManager::RotationSchedule'))
    expect([...rotation]).toContain('Database/RotationLog')
    expect([...madeBefore(Service, Service.only('AWS::ECS::Cluster'))]).toContain('InsightsLog')
  })

  test('folders that Fargate mounts empty are volumes of the image, of which they keep owner and mode', () => {
    const volumes: string[] = JSON.parse(
      /^VOLUME (.*)$/m.exec(readFileSync(CONTAINERFILE, 'utf8'))?.[1] ?? '[]',
    )
    const definitions = Service.ofType('AWS::ECS::TaskDefinition')
    expect(definitions.length).toBe(3)
    for (const { Properties } of definitions) {
      const empty = new Set(
        Properties['Volumes'].flatMap((one: Json) => (one.EFSVolumeConfiguration ? [] : [one.Name])),
      )
      const folders = Properties['ContainerDefinitions'].flatMap(({ MountPoints = [] }: Json) =>
        MountPoints.flatMap((one: Json) => (empty.has(one.SourceVolume) ? [one.ContainerPath] : [])),
      )
      expect(folders).toEqual(['/tmp'])
      for (const folder of folders) expect(volumes).toContain(folder)
    }
  })

  test('what ECS pulls, the role that starts tasks may pull', () => {
    const { Statement } = Service.only('AWS::IAM::ManagedPolicy', 'Roles/Execution/Policy').Properties[
      'PolicyDocument'
    ]
    const pull = Statement.find(({ Action }: Json) => [Action].flat().includes('ecr:BatchGetImage'))
    const images = Service.ofType('AWS::ECS::TaskDefinition').flatMap(({ Properties }) =>
      Properties['ContainerDefinitions'].map(({ Image }: Json) => JSON.stringify(Image)),
    )
    const outputs = [pull.Resource].flat().map((one: Json) => one['Fn::GetStackOutput'].OutputName)
    expect(images.length).toBeGreaterThan(3)
    for (const image of images) expect(outputs.some((output: string) => image.includes(output))).toBe(true)
  })
})
