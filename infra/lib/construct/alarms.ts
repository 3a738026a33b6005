import {
  Alarm,
  ComparisonOperator,
  type IMetric,
  Metric,
  Stats,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import { Duration } from 'aws-cdk-lib/core'
import { Construct } from 'constructs'

const MINUTE = Duration.minutes(1)

export interface AlarmOptions {
  /** What is wrong, and what to do first. Sent with the alarm. */
  readonly text: string
  readonly metric: IMetric
  /** The alarm is raised above it. */
  readonly above?: number
  /** The alarm is raised below it. */
  readonly below?: number
  /** Periods of the metric that must all be so; default 1. */
  readonly periods?: number
  /** Without values: nothing is wrong (the default), or everything is. */
  readonly silence?: 'good' | 'bad'
}

/** Alarms of one environment, all of which go to one topic. */
export class Alarms extends Construct {
  readonly all: Alarm[] = []
  private readonly name: string
  private readonly topic: ITopic

  constructor(
    scope: Construct,
    id: string,
    { name, topic }: { readonly name: string; readonly topic: ITopic },
  ) {
    super(scope, id)
    this.name = name
    this.topic = topic
  }

  /** `id` is the end of the alarm's name, with a hyphen before each capital. */
  add(id: string, options: AlarmOptions): Alarm {
    const { text, metric, above, below, periods = 1, silence = 'good' } = options
    const alarm = new Alarm(this, id, {
      alarmName: `${this.name}-${id.replaceAll(/(?!^)[A-Z]/g, '-$&').toLowerCase()}`,
      alarmDescription: text,
      metric,
      threshold: above ?? below ?? 0,
      comparisonOperator:
        above === undefined
          ? ComparisonOperator.LESS_THAN_THRESHOLD
          : ComparisonOperator.GREATER_THAN_THRESHOLD,
      evaluationPeriods: periods,
      treatMissingData: silence === 'bad' ? TreatMissingData.BREACHING : TreatMissingData.NOT_BREACHING,
    })
    const action = new SnsAction(this.topic)
    alarm.addAlarmAction(action)
    alarm.addOkAction(action)
    this.all.push(alarm)
    return alarm
  }
}

export interface MetricOptions {
  readonly statistic?: string
  /** Default a minute. */
  readonly period?: Duration
}

/** The highest value of each minute, unless said otherwise. */
export function metric(
  namespace: string,
  metricName: string,
  dimensionsMap: Readonly<Record<string, string>>,
  { statistic = Stats.MAXIMUM, period = MINUTE }: MetricOptions = {},
): Metric {
  return new Metric({ namespace, metricName, dimensionsMap: { ...dimensionsMap }, statistic, period })
}
