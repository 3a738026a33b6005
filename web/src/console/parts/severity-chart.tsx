import type { ResponseOf } from '@akashi/contract'
import { severities } from '@akashi/contract'
import { useTexts } from '../locales/index.ts'
import { TimeChart } from './time-chart.tsx'

interface SeverityChartProps {
  readonly timeline: ResponseOf<'GET /v1/events/timeline'>
  readonly label: string
  readonly height?: number
}

/** Events over time by severity. */
export function SeverityChart({ timeline: { buckets }, label, height }: SeverityChartProps) {
  const t = useTexts()
  return (
    <TimeChart
      label={label}
      times={buckets.map(({ at }) => Date.parse(at))}
      series={severities.map((severity) => ({
        name: t(`severity.${severity}`),
        color: `--chart-${severity}`,
        values: buckets.map((bucket) => bucket.severities[severity] ?? 0),
      }))}
      {...(height === undefined ? {} : { height })}
    />
  )
}
