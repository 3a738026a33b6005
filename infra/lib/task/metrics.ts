/**
 * Runs beside `serve` in its task, given to Node.js as text: each minute it reads `GET /metrics` of this machine and
 * prints what CloudWatch keeps as metrics, in the embedded metric format, one line of JSON. It needs no right, no
 * key and no package: what is printed reaches CloudWatch Logs like every other line of the task.
 */
import { setTimeout as sleep } from 'node:timers/promises'

const INTERVAL_MS = 60_000
/** Milliseconds for the server to respond; `/metrics` reads the database. */
const TIMEOUT_MS = 20_000
const NAMESPACE = 'Akashi'

interface Published {
  readonly name: string
  readonly unit: 'Bytes' | 'Count' | 'Seconds'
  /** The metric of Akashi. */
  readonly of: string
  /** Only the samples whose label has one of these values, added up. Without it, the highest of all. */
  readonly where?: readonly [label: string, values: readonly string[]]
  /** The value is a Unix time; published are the seconds since then. */
  readonly age?: true
  /** What never happened, of which the server says 0, is not published: its age would hide all others in a graph. */
  readonly onceHappened?: true
}

const alarms = (name: string, ...conditions: string[]): Published => ({
  name,
  unit: 'Count',
  of: 'akashi_alarm',
  where: ['name', conditions],
})
const severity = (name: string, value: string): Published => ({
  name,
  unit: 'Count',
  of: 'akashi_alarm',
  where: ['severity', [value]],
})

/** What an alarm is raised for is decided by Akashi itself; its alarms are taken over, and graphs show the values. */
const PUBLISHED: readonly Published[] = [
  alarms('SealAlarms', 'seal_lag', 'frontier_held', 'leader_lock'),
  alarms(
    'VerificationAlarms',
    'verification_failed',
    'verification_overdue',
    'oldest_unchecked',
    'ledger_watch',
  ),
  alarms('CrossCheckAlarms', 'crosscheck_discrepancy', 'crosscheck_gap', 'crosscheck_stopped'),
  alarms('BackupAlarms', 'backup_age', 'restorable_stands_still', 'wal_kept'),
  alarms('DrillAlarms', 'drill_failed', 'drill_age', 'recovery_test_age'),
  alarms('JobAlarms', 'job_failed', 'job_missed'),
  alarms('KeyAlarms', 'key_age', 'certificate_expiry'),
  severity('CriticalAlarms', 'critical'),
  severity('HighAlarms', 'high'),
  severity('MediumAlarms', 'medium'),
  severity('LowAlarms', 'low'),
  { name: 'AlarmsLookedAtAge', unit: 'Seconds', of: 'akashi_alarms_looked_at_seconds', age: true },
  { name: 'UnsealedRows', unit: 'Count', of: 'akashi_ledger_pending_rows' },
  { name: 'FrontierHeldTime', unit: 'Seconds', of: 'akashi_ledger_frontier_held_seconds' },
  {
    name: 'VerificationAge',
    unit: 'Seconds',
    of: 'akashi_verification_seconds',
    age: true,
    onceHappened: true,
  },
  { name: 'CrossCheckLag', unit: 'Bytes', of: 'akashi_crosscheck_lag_bytes' },
  { name: 'BackupAge', unit: 'Seconds', of: 'akashi_backup_age_seconds' },
  { name: 'DrillAge', unit: 'Seconds', of: 'akashi_drill_passed_seconds' },
]

interface Sample {
  readonly name: string
  readonly labels: ReadonlyMap<string, string>
  readonly value: number
}

const url = needed('METRICS_URL')
const environment = needed('METRICS_ENVIRONMENT')
const ending = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => ending.abort())

while (!ending.signal.aborted) {
  try {
    process.stdout.write(`${JSON.stringify(document(samplesOf(await read()), Date.now()))}\n`)
  } catch (error) {
    if (ending.signal.aborted) break
    // Without a value the alarm on missing metrics is raised; the next minute may be better.
    process.stderr.write(`no metrics: ${error instanceof Error ? error.message : String(error)}\n`)
  }
  await sleep(INTERVAL_MS, undefined, { signal: ending.signal }).catch(() => undefined)
}

function needed(name: string): string {
  const value = process.env[name]
  if (value === undefined || value === '') throw new Error(`the task has no ${name}`)
  return value
}

async function read(): Promise<string> {
  const signal = AbortSignal.any([ending.signal, AbortSignal.timeout(TIMEOUT_MS)])
  const response = await fetch(url, { signal, redirect: 'error' })
  const text = await response.text()
  if (!response.ok) throw new Error(`${url} responded ${response.status}`)
  return text
}

/** Samples of the text format of Prometheus; comments and what is no finite number are left out. */
function samplesOf(text: string): Sample[] {
  return text.split('\n').flatMap((line) => {
    const [, name, labels = '', value] = /^([a-z_]\w*)(?:\{(.*)\})? (\S+)$/i.exec(line) ?? []
    const number = Number(value)
    if (name === undefined || !Number.isFinite(number)) return []
    const pairs = labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)
    return [{ name, labels: new Map([...pairs].map(([, key = '', of = '']) => [key, of])), value: number }]
  })
}

/** @returns undefined when the server has no sample of it */
function published(
  { of, where, age, onceHappened }: Published,
  samples: readonly Sample[],
  now: number,
): number | undefined {
  const found = samples.filter(({ name }) => name === of)
  if (found.length === 0) return undefined
  if (where !== undefined) {
    const [label, values] = where
    return found
      .filter(({ labels }) => values.includes(labels.get(label) ?? ''))
      .reduce((sum, { value }) => sum + value, 0)
  }
  const highest = Math.max(...found.map(({ value }) => value))
  if (onceHappened && highest === 0) return undefined
  return age ? Math.max(0, now / 1_000 - highest) : highest
}

function document(samples: readonly Sample[], now: number): Record<string, unknown> {
  const values = PUBLISHED.flatMap((one) => {
    const value = published(one, samples, now)
    return value === undefined ? [] : [{ ...one, value }]
  })
  if (values.length === 0) throw new Error(`${url} has no metric of Akashi`)
  return {
    _aws: {
      Timestamp: now,
      CloudWatchMetrics: [
        {
          Namespace: NAMESPACE,
          Dimensions: [['Environment']],
          Metrics: values.map(({ name, unit }) => ({ Name: name, Unit: unit })),
        },
      ],
    },
    Environment: environment,
    ...Object.fromEntries(values.map(({ name, value }) => [name, value])),
  }
}
