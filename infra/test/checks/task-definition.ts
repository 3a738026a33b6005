/**
 * The definition of a task: one container of Akashi, beside `serve` the one that publishes its metrics, and where there
 * are traces the one that takes them.
 */
import { databaseCa } from '../../lib/database-ca.ts'
import type { EnvironmentParameter } from '../../lib/parameter.ts'
import type { Json } from '../support/template.ts'
import { coldStore, isTraced, METRICS_SCRIPT, SCRIPT, storeUrl } from './task-settings.ts'

export interface ExpectedTask {
  readonly command: 'install' | 'serve' | 'work'
  readonly cpu: string
  readonly memory: string
  /** In addition to those of every task. */
  readonly environment?: readonly Json[]
  readonly secrets: readonly Json[]
  readonly metrics?: true
}

/** Not root, no privileges, a root file system that nobody writes. */
const CONFINED = {
  LinuxParameters: { Capabilities: {}, InitProcessEnabled: true },
  Privileged: false,
  ReadonlyRootFilesystem: true,
  User: '10001:10001',
}

function uriOf(repository: string): string {
  const part = (index: number) =>
    `{"Fn::Select":[${index},{"Fn::Split":[":","<Images: ${repository}.Arn>"]}]}`
  return `${part(4)}.dkr.ecr.${part(3)}.amazonaws.com/<Images: ${repository}>`
}

const REPOSITORY = uriOf('Repository')

export const PASSWORD = { Name: 'SERVER_PASSWORD', ValueFrom: '<ServerPassword>:password::' }
export const TOKEN = { Name: 'CACHE_TOKEN', ValueFrom: '<Cache/Token>' }
export const CACHE = [
  { Name: 'CACHE_HOST', Value: '<Cache/Cluster.PrimaryEndPoint.Address>' },
  { Name: 'CACHE_PORT', Value: '6380' },
]

/** Standard variables; of the traces that begin here, one in twenty. */
function exporting(command: string): Json[] {
  return Object.entries({
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318',
    OTEL_SERVICE_NAME: `<name>-${command}`,
    OTEL_TRACES_SAMPLER_ARG: '0.05',
  }).map(([Name, Value]) => ({ Name, Value }))
}

function exportsTraces({ command }: ExpectedTask, parameter: EnvironmentParameter): boolean {
  return command !== 'install' && isTraced(parameter)
}

function logged(prefix: string): Json {
  const Options = {
    'awslogs-group': '<Log>',
    'awslogs-stream-prefix': prefix,
    'awslogs-region': '<region>',
  }
  return { LogConfiguration: { LogDriver: 'awslogs', Options } }
}

function run(script: string, command: string): Json {
  return { Command: [command], EntryPoint: ['node', '--input-type=module-typescript', '-e', script] }
}

function container(task: ExpectedTask, parameter: EnvironmentParameter): Json {
  return {
    ...run(SCRIPT, task.command),
    ...CONFINED,
    ...logged(task.command),
    Environment: [
      { Name: 'TASK_ENTRY', Value: '/opt/akashi/node_modules/akashi/bin/akashi.js' },
      { Name: 'AKASHI_APP_ENVIRONMENT', Value: parameter.environment },
      { Name: 'AWS_REGION', Value: '<region>' },
      { Name: 'DATABASE_HOST', Value: '<Data: Database/Cluster.Endpoint.Address>' },
      { Name: 'DATABASE_PORT', Value: '<Data: Database/Cluster.Endpoint.Port>' },
      { Name: 'DATABASE_NAME', Value: 'akashi' },
      { Name: 'DATABASE_TLS', Value: 'verify-full' },
      { Name: 'DATABASE_CA', Value: databaseCa(parameter.region) },
      {
        Name: 'KEYS_URL',
        Value: 'awskms:alias/<name>/person-keyring?folder=/var/lib/akashi/keys&region=<region>',
      },
      { Name: 'OBJECT_STORE_URL', Value: storeUrl(parameter) },
      ...coldStore(parameter),
      ...(task.environment ?? []),
      ...(exportsTraces(task, parameter) ? exporting(task.command) : []),
    ],
    Essential: true,
    Image: `${REPOSITORY}:${parameter.service.imageTag}`,
    MountPoints: [
      { ContainerPath: '/var/lib/akashi', ReadOnly: false, SourceVolume: 'keyring' },
      { ContainerPath: '/tmp', ReadOnly: false, SourceVolume: 'temporary' },
    ],
    Name: 'akashi',
    ...(task.command === 'serve' ? { PortMappings: [{ ContainerPort: 4180, Protocol: 'tcp' }] } : {}),
    Secrets: task.secrets,
    StopTimeout: 75,
  }
}

/** No secret, no volume and no port; it ends and starts again without the server. */
function metricsContainer({ service }: EnvironmentParameter): Json {
  return {
    ...run(METRICS_SCRIPT, 'metrics'),
    ...CONFINED,
    ...logged('metrics'),
    Environment: [
      { Name: 'METRICS_URL', Value: 'http://127.0.0.1:4180/metrics' },
      { Name: 'METRICS_ENVIRONMENT', Value: '<name>' },
    ],
    Essential: false,
    Image: `${REPOSITORY}:${service.imageTag}`,
    Memory: 192,
    Name: 'metrics',
    RestartPolicy: { Enabled: true, RestartAttemptPeriod: 60 },
    StopTimeout: 5,
  }
}

/** No secret, no volume and no port; it takes spans from its own task alone. */
function collectorContainer({ service }: EnvironmentParameter): Json {
  const configuration = {
    receivers: { otlp: { protocols: { http: { endpoint: '127.0.0.1:4318' } } } },
    processors: {
      memory_limiter: { check_interval: '1s', limit_mib: 96, spike_limit_mib: 24 },
      batch: {},
    },
    exporters: { awsxray: { region: '<region>', local_mode: true } },
    service: {
      telemetry: { metrics: { level: 'none' } },
      pipelines: {
        traces: { receivers: ['otlp'], processors: ['memory_limiter', 'batch'], exporters: ['awsxray'] },
      },
    },
  }
  return {
    ...CONFINED,
    ...logged('collector'),
    Environment: [{ Name: 'AOT_CONFIG_CONTENT', Value: JSON.stringify(configuration) }],
    Essential: false,
    Image: `${uriOf('Collector')}:${service.tracing?.collectorTag}`,
    Memory: 128,
    Name: 'collector',
    RestartPolicy: { Enabled: true, RestartAttemptPeriod: 60 },
    StopTimeout: 10,
  }
}

export function taskDefinition(task: ExpectedTask, parameter: EnvironmentParameter): Record<string, Json> {
  const role = `${task.command[0]?.toUpperCase()}${task.command.slice(1)}`
  return {
    ContainerDefinitions: [
      container(task, parameter),
      ...(task.metrics ? [metricsContainer(parameter)] : []),
      ...(exportsTraces(task, parameter) ? [collectorContainer(parameter)] : []),
    ],
    Cpu: task.cpu,
    ExecutionRoleArn: '<Roles/Execution.Arn>',
    Family: `<name>-${task.command}`,
    Memory: task.memory,
    NetworkMode: 'awsvpc',
    RequiresCompatibilities: ['FARGATE'],
    RuntimePlatform: { CpuArchitecture: 'X86_64', OperatingSystemFamily: 'LINUX' },
    TaskRoleArn: `<Roles/${role}.Arn>`,
    Volumes: [
      {
        EFSVolumeConfiguration: {
          AuthorizationConfig: { AccessPointId: '<Keyring/FileSystem/AccessPoint>', IAM: 'ENABLED' },
          FilesystemId: '<Keyring/FileSystem>',
          TransitEncryption: 'ENABLED',
        },
        Name: 'keyring',
      },
      { Name: 'temporary' },
    ],
  }
}
