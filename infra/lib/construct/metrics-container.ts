import { readFileSync } from 'node:fs'
import { type FargateTaskDefinition, LinuxParameters, LogDriver } from 'aws-cdk-lib/aws-ecs'
import type { ILogGroup } from 'aws-cdk-lib/aws-logs'
import { Duration } from 'aws-cdk-lib/core'
import { taskImage, USER } from './task.ts'

const SCRIPT = readFileSync(new URL('../task/metrics.ts', import.meta.url), 'utf8')
/** Callers from the same task are this machine, which `/metrics` answers without a key. */
const URL_OF_METRICS = 'http://127.0.0.1:4180/metrics'
/** So that it never takes memory from the server, in MiB. */
const MEMORY_MIB = 192
const STOP_TIMEOUT = Duration.seconds(5)

export interface MetricsContainerProps {
  /** Of the environment; the dimension of the metrics. */
  readonly name: string
  readonly image: string
  readonly log: ILogGroup
}

/** Publishes Akashi's metrics from beside the server. Started again when it ends, which the server does not notice. */
export function addMetricsContainer(definition: FargateTaskDefinition, props: MetricsContainerProps): void {
  definition.addContainer('metrics', {
    image: taskImage(props.image),
    essential: false,
    enableRestartPolicy: true,
    restartAttemptPeriod: Duration.minutes(1),
    entryPoint: ['node', '--input-type=module-typescript', '-e', SCRIPT],
    command: ['metrics'],
    user: USER,
    readonlyRootFilesystem: true,
    privileged: false,
    linuxParameters: new LinuxParameters(definition, 'MetricsLinux', { initProcessEnabled: true }),
    memoryLimitMiB: MEMORY_MIB,
    stopTimeout: STOP_TIMEOUT,
    logging: LogDriver.awsLogs({ streamPrefix: 'metrics', logGroup: props.log }),
    environment: { METRICS_URL: URL_OF_METRICS, METRICS_ENVIRONMENT: props.name },
  })
}
