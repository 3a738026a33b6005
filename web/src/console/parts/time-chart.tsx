import { useComputedColorScheme } from '@mantine/core'
import { useEffect, useRef, useState } from 'react'
import UPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { currentLanguage } from '../../i18n/index.ts'
import classes from './time-chart.module.css'

export interface Series {
  readonly name: string
  /** Name of a custom property with its colour. */
  readonly color: `--${string}`
  readonly values: readonly (number | null)[]
}

interface TimeChartProps {
  /** What it shows, in words; read out instead of the picture. */
  readonly label: string
  /** Milliseconds since 1970, ascending. */
  readonly times: readonly number[]
  readonly series: readonly Series[]
  /** Bars are stacked. */
  readonly kind?: 'bars' | 'lines'
  /** Pixels. */
  readonly height?: number
  readonly format?: (value: number) => string
  /** The start and end of a drag. */
  readonly onSelect?: (from: number, to: number) => void
}

const DEFAULT_HEIGHT = 180
const BAR_WIDTH = [0.82, 34] as const
const MIN_SELECTED_PIXELS = 8
/** Above it the points of a line run into each other. */
const MAX_POINTS = 40
/** Pixels below the chart for its times, for one of them, and for half of the last one. */
const TIMES_HEIGHT = 28
const LABEL_WIDTH = 74
const EDGE = 26
/** Pixels for the numbers beside the chart. */
const NUMBERS_WIDTH = 58
const SECOND_MS = 1_000

/** Counts or measurements over time. */
export function TimeChart(props: TimeChartProps) {
  const { label, times, series, kind = 'bars', height = DEFAULT_HEIGHT } = props
  const { format = (value: number) => new Intl.NumberFormat(currentLanguage()).format(value) } = props
  const place = useRef<HTMLDivElement>(null)
  const [at, setAt] = useState<number | null>(null)
  const scheme = useComputedColorScheme('light')
  const language = currentLanguage()
  const latest = useRef(props)
  useEffect(() => {
    latest.current = props
  })
  const drawn = JSON.stringify([times, series.map(({ values, color }) => [values, color])])
  // biome-ignore lint/correctness/useExhaustiveDependencies: colours and words come from the page, which these change
  useEffect(() => {
    const element = place.current
    if (element === null) return
    const chart = new UPlot(
      optionsOf(element, latest.current, kind, height, setAt),
      dataOf(latest.current, kind),
      element,
    )
    const observer = new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height }))
    observer.observe(element)
    return () => {
      observer.disconnect()
      chart.destroy()
    }
  }, [drawn, kind, height, scheme, language])
  const time = at === null ? undefined : times[at]
  return (
    <figure className={classes['figure']}>
      <div ref={place} role="img" aria-label={label} className={classes['plot']} />
      <figcaption className={classes['legend']}>
        {series.map(({ name, color, values }) => (
          <span key={name} className={classes['key']}>
            <span className={classes['swatch']} style={{ background: `var(${color})` }} />
            {name}
            {at !== null && (
              <b>{values[at] === null || values[at] === undefined ? '–' : format(values[at])}</b>
            )}
          </span>
        ))}
        {time !== undefined && <span className={classes['at']}>{labelOf(time)}</span>}
      </figcaption>
    </figure>
  )
}

function labelOf(time: number): string {
  return new Intl.DateTimeFormat(currentLanguage(), { dateStyle: 'medium', timeStyle: 'short' }).format(time)
}

/** Stacked values are sums, the highest drawn first so that the others cover its lower part. */
function dataOf({ times, series }: TimeChartProps, kind: 'bars' | 'lines'): UPlot.AlignedData {
  const seconds = times.map((time) => time / SECOND_MS)
  if (kind === 'lines') return [seconds, ...series.map(({ values }) => [...values])]
  const sums = series.map((_, index) =>
    times.map((__, at) => series.slice(0, index + 1).reduce((sum, { values }) => sum + (values[at] ?? 0), 0)),
  )
  return [seconds, ...sums.reverse()]
}

function optionsOf(
  element: HTMLElement,
  { series, times, format, onSelect }: TimeChartProps,
  kind: 'bars' | 'lines',
  height: number,
  setAt: (at: number | null) => void,
): UPlot.Options {
  const style = getComputedStyle(element)
  const colorOf = (name: string) => style.getPropertyValue(name).trim()
  const ink = colorOf('--mantine-color-dimmed')
  const rule = colorOf('--rule')
  const ordered = kind === 'bars' ? [...series].reverse() : series
  const bars = UPlot.paths.bars?.({ size: [...BAR_WIDTH] })
  const font = `11px ${style.fontFamily}`
  return {
    width: element.clientWidth,
    height,
    padding: [10, EDGE, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      points: { show: kind === 'lines' },
      drag: { x: onSelect !== undefined, y: false, setScale: false },
    },
    scales: {
      x: { time: true, range: (_plot, min, max) => edges(min, max, times.length, kind) },
      y: { range: (_plot, _min, max) => [0, Math.max(max * 1.08, 1)] },
    },
    axes: [
      {
        stroke: ink,
        font,
        size: TIMES_HEIGHT,
        space: LABEL_WIDTH,
        grid: { show: false },
        ticks: { show: false },
        values: timeLabels,
      },
      {
        stroke: ink,
        font,
        size: NUMBERS_WIDTH,
        grid: { stroke: rule, width: 1 },
        ticks: { show: false },
        values: (_plot, splits) =>
          splits.map((value) =>
            format === undefined
              ? new Intl.NumberFormat(currentLanguage(), { notation: 'compact' }).format(value)
              : format(value),
          ),
      },
    ],
    series: [
      {},
      ...ordered.map(({ color }) => ({
        stroke: colorOf(color),
        width: kind === 'bars' ? 0 : 2,
        ...(kind === 'bars'
          ? { fill: colorOf(color), points: { show: false }, ...(bars === undefined ? {} : { paths: bars }) }
          : { points: { show: times.length <= MAX_POINTS, size: 5, fill: colorOf(color) } }),
      })),
    ],
    hooks: {
      setCursor: [(plot) => setAt(plot.cursor.idx ?? null)],
      setSelect: [
        (plot) => {
          if (plot.select.width < MIN_SELECTED_PIXELS) return
          onSelect?.(
            plot.posToVal(plot.select.left, 'x') * SECOND_MS,
            plot.posToVal(plot.select.left + plot.select.width, 'x') * SECOND_MS,
          )
        },
      ],
    },
  }
}

/** Bars are centred in their interval: half of one fits on each side. */
function edges(min: number, max: number, count: number, kind: 'bars' | 'lines'): [number, number] {
  const bar = count > 1 ? (max - min) / (count - 1) : SECONDS_AN_HOUR
  const beside = kind === 'bars' || count === 1 ? bar / 2 : 0
  return [min - beside, max + beside]
}

const SECONDS_AN_HOUR = 3_600
const DAY_S = 86_400
const YEAR_S = 366 * DAY_S

function timeLabels(_plot: UPlot, splits: number[]): string[] {
  const span = (splits.at(-1) ?? 0) - (splits[0] ?? 0)
  const form: Intl.DateTimeFormatOptions =
    span > YEAR_S
      ? { year: 'numeric', month: 'short' }
      : span > 2 * DAY_S
        ? { month: 'short', day: 'numeric' }
        : { hour: 'numeric', minute: '2-digit' }
  const written = new Intl.DateTimeFormat(currentLanguage(), form)
  let before = ''
  return splits.map((split) => {
    const text = written.format(split * SECOND_MS)
    if (text === before) return ''
    before = text
    return text
  })
}
