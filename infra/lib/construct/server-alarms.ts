import { Stats } from 'aws-cdk-lib/aws-cloudwatch'
import { type Alarms, metric } from './alarms.ts'

/** Workers look twice a minute. */
const LOOKED_AT_SECONDS = 300

/** What Akashi decides to raise an alarm for (docs/operations.md), and that nobody decides any more. */
export function serverAlarms(alarms: Alarms, name: string): void {
  const of = (metricName: string) => metric('Akashi', metricName, { Environment: name })
  const open = (id: string, metricName: string, text: string, periods = 1) =>
    alarms.add(id, {
      text: `${text} akashi alarms says what was seen and what to do.`,
      metric: of(metricName),
      above: 0,
      periods,
    })
  open('Seal', 'SealAlarms', 'Rows of the record are not being sealed.')
  open(
    'Verification',
    'VerificationAlarms',
    'The record was not verified in time, or verification found problems.',
  )
  open(
    'CrossCheck',
    'CrossCheckAlarms',
    'The trail disagrees with the write-ahead log, or is not compared with it.',
  )
  open(
    'Backup',
    'BackupAlarms',
    'The newest backup of Akashi is too old, or recent moments cannot be restored.',
  )
  open('Drill', 'DrillAlarms', 'A recovery drill failed, or none passed for too long.')
  open('Jobs', 'JobAlarms', 'A job failed or did not run.')
  open('Keys', 'KeyAlarms', 'A key is older than its policy, or a certificate expires soon.')
  open('Critical', 'CriticalAlarms', 'An alarm of severity critical is open.')
  open('High', 'HighAlarms', 'An alarm of severity high is open.')
  open('Medium', 'MediumAlarms', 'An alarm of severity medium is open.', 15)
  open('Low', 'LowAlarms', 'An alarm of severity low is open.', 15)
  alarms.add('NobodyLooks', {
    text: 'No worker looks at what alarms are raised for. See whether the tasks of work run, and their log.',
    metric: of('AlarmsLookedAtAge'),
    above: LOOKED_AT_SECONDS,
    periods: 2,
  })
  alarms.add('MetricsGone', {
    text: 'Akashi publishes no metrics. See whether the tasks of serve run, and the log of their container metrics.',
    metric: metric('Akashi', 'CriticalAlarms', { Environment: name }, { statistic: Stats.SAMPLE_COUNT }),
    below: 1,
    periods: 5,
    silence: 'bad',
  })
}
