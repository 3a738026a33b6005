import { readFileSync } from 'node:fs'
import {
  ContainerImage,
  CpuArchitecture,
  FargateTaskDefinition,
  LinuxParameters,
  LogDriver,
  OperatingSystemFamily,
  Secret as TaskSecret,
} from 'aws-cdk-lib/aws-ecs'
import type { Role } from 'aws-cdk-lib/aws-iam'
import type { ILogGroup } from 'aws-cdk-lib/aws-logs'
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager'
import { Duration } from 'aws-cdk-lib/core'
import type { Construct } from 'constructs'
import { acknowledge } from '../acknowledge.ts'
import type { KeyringVolume } from './keyring-volume.ts'

/** What the container runs instead of Akashi's command alone: it puts the URLs together. */
const SCRIPT = readFileSync(new URL('../task/run.ts', import.meta.url), 'utf8')
/** Where the image of deploy/Containerfile has it. */
const ENTRY = '/opt/akashi/node_modules/akashi/bin/akashi.js'
/** User and group of the image. */
export const USER = '10001:10001'
const PORT = 4180
/** The longest of Akashi's own limits: 60 s for `work`. */
const STOP_TIMEOUT = Duration.seconds(75)

export interface TaskProps {
  readonly command: 'install' | 'serve' | 'work'
  /** Family of the definition. */
  readonly name: string
  readonly image: string
  readonly cpu: number
  readonly memoryMiB: number
  readonly taskRole: Role
  readonly executionRole: Role
  readonly log: ILogGroup
  readonly environment: Readonly<Record<string, string>>
  /** Variable → field of a secret. */
  readonly secrets: Readonly<Record<string, readonly [ISecret, string]>>
  readonly keyring: KeyringVolume
}

export function taskImage(image: string): ContainerImage {
  return ContainerImage.fromRegistry(image)
}

/** A task of Akashi: no privileges, not root, a root file system that nobody writes. */
export function taskDefinition(scope: Construct, id: string, props: TaskProps): FargateTaskDefinition {
  const { command, keyring } = props
  const definition = new FargateTaskDefinition(scope, id, {
    family: props.name,
    cpu: props.cpu,
    memoryLimitMiB: props.memoryMiB,
    // The roles are given complete; what the CDK would add has no place in their policies.
    taskRole: props.taskRole.withoutPolicyUpdates(),
    executionRole: props.executionRole.withoutPolicyUpdates(),
    runtimePlatform: {
      cpuArchitecture: CpuArchitecture.X86_64,
      operatingSystemFamily: OperatingSystemFamily.LINUX,
    },
    volumes: [keyring.volume, { name: 'temporary' }],
  })
  const linuxParameters = new LinuxParameters(definition, 'Linux', { initProcessEnabled: true })
  const container = definition.addContainer('akashi', {
    image: taskImage(props.image),
    essential: true,
    entryPoint: ['node', '--input-type=module-typescript', '-e', SCRIPT],
    command: [command],
    user: USER,
    readonlyRootFilesystem: true,
    privileged: false,
    linuxParameters,
    stopTimeout: STOP_TIMEOUT,
    logging: LogDriver.awsLogs({ streamPrefix: command, logGroup: props.log }),
    environment: { TASK_ENTRY: ENTRY, ...props.environment },
    secrets: Object.fromEntries(
      Object.entries(props.secrets).map(([name, [secret, field]]) => [
        name,
        TaskSecret.fromSecretsManager(secret, field),
      ]),
    ),
    ...(command === 'serve' ? { portMappings: [{ containerPort: PORT }] } : {}),
  })
  container.addMountPoints(
    { sourceVolume: keyring.volume.name, containerPath: keyring.path, readOnly: false },
    { sourceVolume: 'temporary', containerPath: '/tmp', readOnly: false },
  )
  acknowledge(definition, {
    'CloudFormation-Validate::E1029':
      'The text is a program; what looks like a parameter is filled in by JavaScript.',
    'AwsSolutions-ECS2': 'Secrets come from Secrets Manager; what the environment holds is no secret.',
  })
  return definition
}
