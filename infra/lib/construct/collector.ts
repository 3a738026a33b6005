import { type FargateTaskDefinition, LinuxParameters, LogDriver } from 'aws-cdk-lib/aws-ecs'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { ILogGroup } from 'aws-cdk-lib/aws-logs'
import { Duration, Stack } from 'aws-cdk-lib/core'
import { taskImage, USER } from './task.ts'

/** OTLP over HTTP; only the containers of the same task reach it. */
const ADDRESS = '127.0.0.1:4318'
/** Of the traces that begin at the server; CloudFront lets no caller begin one. */
const SAMPLED = '0.05'
/** So that it never takes memory from the server; it refuses spans before it comes to that. In MiB. */
const MEMORY_MIB = 128
const MEMORY_LIMITER = { check_interval: '1s', limit_mib: 96, spike_limit_mib: 24 }
const STOP_TIMEOUT = Duration.seconds(10)

/** The standard variables by which a program exports its traces to the collector beside it, under a name of its own. */
export function exporting(serviceName: string): Readonly<Record<string, string>> {
  return {
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://${ADDRESS}`,
    OTEL_SERVICE_NAME: serviceName,
    OTEL_TRACES_SAMPLER_ARG: SAMPLED,
  }
}

/** What the role of such a task needs. */
export function tracing(): PolicyStatement {
  return new PolicyStatement({ actions: ['xray:PutTraceSegments'], resources: ['*'] })
}

export interface CollectorProps {
  readonly image: string
  readonly log: ILogGroup
}

/**
 * Takes the traces of the task and hands them to X-Ray, signed as the role of the task. Started again when it ends,
 * which the server does not notice: spans that nobody takes are dropped.
 */
export function addCollector(definition: FargateTaskDefinition, { image, log }: CollectorProps): void {
  const configuration = {
    receivers: { otlp: { protocols: { http: { endpoint: ADDRESS } } } },
    processors: { memory_limiter: MEMORY_LIMITER, batch: {} },
    exporters: { awsxray: { region: Stack.of(definition).region, local_mode: true } },
    service: {
      telemetry: { metrics: { level: 'none' } },
      pipelines: {
        traces: { receivers: ['otlp'], processors: ['memory_limiter', 'batch'], exporters: ['awsxray'] },
      },
    },
  }
  definition.addContainer('collector', {
    image: taskImage(image),
    essential: false,
    enableRestartPolicy: true,
    restartAttemptPeriod: Duration.minutes(1),
    user: USER,
    readonlyRootFilesystem: true,
    privileged: false,
    linuxParameters: new LinuxParameters(definition, 'CollectorLinux', { initProcessEnabled: true }),
    memoryLimitMiB: MEMORY_MIB,
    stopTimeout: STOP_TIMEOUT,
    logging: LogDriver.awsLogs({ streamPrefix: 'collector', logGroup: log }),
    // JSON is YAML.
    environment: { AOT_CONFIG_CONTENT: JSON.stringify(configuration) },
  })
}
