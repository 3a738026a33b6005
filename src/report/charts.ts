/** The charts of a report as SVG, which the page and the PDF both show. */
import { scaleBand, scaleLinear } from 'd3-scale'
import { line, stack } from 'd3-shape'
import { colours, INK, LINE, MUTED } from './blocks.ts'
import type { Charts } from './document.ts'
import { escapeText } from './escape.ts'
import type { Texts } from './texts/index.ts'

const WIDTH = 720
const HEIGHT = 190
const LEFT = 64
const RIGHT = 12
const TOP = 26
const BOTTOM = 24
const TICKS = 4
/** Days between labels of the axis. */
const LABEL_EVERY = 7
const SERIES = ['#1d3557', '#5b8db8', '#b9cfe2']

interface Axis {
  readonly y: (value: number) => number
  readonly frame: string
}

/** Rows sealed per day, by log; null where nothing was. */
export function sealedChart(rows: Charts['sealed'], words: Texts): string | null {
  const logs = Object.keys(words.logs)
  const days = [...new Set(rows.map(({ day }) => day))].toSorted()
  if (days.length === 0) return null
  const perDay = everyDay(days).map((day) => ({
    day,
    values: Object.fromEntries(
      logs.map((log) => [log, rows.find((row) => row.day === day && row.log === log)?.rows ?? 0]),
    ),
  }))
  const layers = stack<(typeof perDay)[number]>()
    .keys(logs)
    .value(({ values }, log) => values[log] ?? 0)(perDay)
  const most = Math.max(1, ...layers.flatMap((layer) => layer.map(([, top]) => top)))
  const { y, frame } = axis(most, words)
  const x = scaleBand(
    perDay.map(({ day }) => day),
    [LEFT, WIDTH - RIGHT],
  ).padding(0.25)
  const bars = layers.flatMap((layer, series) =>
    layer.map(([bottom, top], index) => {
      const at = x(perDay[index]?.day ?? '') ?? LEFT
      return top === bottom
        ? ''
        : `<rect x="${n(at)}" y="${n(y(top))}" width="${n(x.bandwidth())}" height="${n(y(bottom) - y(top))}" fill="${SERIES[series] ?? INK}"/>`
    }),
  )
  const labels = perDay
    .filter((_, index) => index % LABEL_EVERY === 0)
    .map(({ day }) => label((x(day) ?? 0) + x.bandwidth() / 2, HEIGHT - 8, day.slice(5), 'middle'))
  return svg(
    frame,
    ...bars,
    ...labels,
    legend(logs.map((log, i) => [words.logs[log] ?? log, SERIES[i] ?? INK])),
  )
}

/** Findings by severity: closed, open and overdue; null where there were none. */
export function findingsChart(rows: Charts['findings'], words: Texts): string | null {
  if (rows.every(({ found }) => found === 0)) return null
  const parts = [
    [words.closed, colours.met[0], (row: Charts['findings'][number]) => row.closed],
    [words.found, '#c98a00', (row: Charts['findings'][number]) => row.found - row.closed - row.overdue],
    [words.overdue, colours.not_met[0], (row: Charts['findings'][number]) => row.overdue],
  ] as const
  const { y, frame } = axis(Math.max(1, ...rows.map(({ found }) => found)), words)
  const x = scaleBand(
    rows.map(({ severity }) => severity),
    [LEFT, WIDTH - RIGHT],
  ).padding(0.55)
  const bars = rows.flatMap((row) => {
    let below = 0
    return parts.map(([, colour, of]) => {
      const value = of(row)
      below += value
      return value === 0
        ? ''
        : `<rect x="${n(x(row.severity) ?? 0)}" y="${n(y(below))}" width="${n(x.bandwidth())}" height="${n(y(below - value) - y(below))}" fill="${colour}"/>`
    })
  })
  const labels = rows.map(({ severity }) =>
    label(
      (x(severity) ?? 0) + x.bandwidth() / 2,
      HEIGHT - 8,
      words.severities[severity] ?? severity,
      'middle',
    ),
  )
  return svg(frame, ...bars, ...labels, legend(parts.map(([name, colour]) => [name, colour])))
}

/** Time to restore of the latest drills and its limit; null where there were none. */
export function drillsChart(rows: Charts['drills'], limit: number | undefined, words: Texts): string | null {
  const measured = rows.filter(({ rtoSeconds }) => rtoSeconds !== null)
  if (measured.length === 0) return null
  const most = Math.max(...measured.map(({ rtoSeconds }) => rtoSeconds ?? 0))
  // The limit is drawn where it does not press the bars flat.
  const shown = limit !== undefined && limit <= most * 4
  const { y, frame } = axis(Math.max(most, shown ? limit : 0), words)
  const x = scaleBand(
    measured.map((_, index) => index),
    [LEFT, WIDTH - RIGHT],
  ).padding(0.6)
  const bars = measured.map(
    ({ rtoSeconds, ok }, index) =>
      `<rect x="${n(x(index) ?? 0)}" y="${n(y(rtoSeconds ?? 0))}" width="${n(Math.min(60, x.bandwidth()))}" height="${n(y(0) - y(rtoSeconds ?? 0))}" fill="${ok ? colours.met[0] : colours.not_met[0]}"/>`,
  )
  const labels = measured.map(({ day }, index) =>
    label((x(index) ?? 0) + Math.min(60, x.bandwidth()) / 2, HEIGHT - 8, day.slice(5), 'middle'),
  )
  const limitLine = shown
    ? `<path d="${line()([
        [LEFT, y(limit)],
        [WIDTH - RIGHT, y(limit)],
      ])}" stroke="${colours.not_met[0]}" stroke-dasharray="4 3" fill="none"/>`
    : ''
  const text =
    limit === undefined
      ? words.rto
      : `${words.rto}, ${words.limit} ${words.units.seconds(limit.toLocaleString(words.locale))}`
  return svg(frame, ...bars, limitLine, ...labels, legend([[text, colours.met[0]]]))
}

/** Every day from the first to the last: those without rows are gaps. */
function everyDay(days: readonly string[]): string[] {
  const [first = '', last = first] = [days[0], days.at(-1)]
  const month = `${first.slice(0, 8)}01`
  const end = new Date(Date.UTC(Number(first.slice(0, 4)), Number(first.slice(5, 7)), 0)).toISOString()
  const result = []
  for (let at = Date.parse(month); at <= Math.max(Date.parse(last), Date.parse(end)); at += 86_400_000) {
    result.push(new Date(at).toISOString().slice(0, 10))
  }
  return result
}

function axis(most: number, words: Texts): Axis {
  const scale = scaleLinear([0, most], [HEIGHT - BOTTOM, TOP]).nice(TICKS)
  const ticks = scale.ticks(TICKS).filter((tick) => Number.isInteger(tick) || most < TICKS)
  return {
    y: (value) => scale(value),
    frame: ticks
      .map(
        (tick) =>
          `<line x1="${LEFT}" y1="${n(scale(tick))}" x2="${WIDTH - RIGHT}" y2="${n(scale(tick))}" stroke="${LINE}" stroke-width="${tick === 0 ? 1 : 0.5}"/>` +
          label(LEFT - 8, scale(tick) + 4, tick.toLocaleString(words.locale), 'end'),
      )
      .join(''),
  }
}

function legend(entries: readonly (readonly [string, string])[]): string {
  let x = LEFT
  return entries
    .map(([name, colour]) => {
      const at = x
      // Of the font: a wide character is as wide as two narrow ones.
      x += 30 + [...name].reduce((sum, one) => sum + ((one.codePointAt(0) ?? 0) > 0x2e80 ? 11 : 6), 0)
      return `<rect x="${at}" y="4" width="10" height="10" fill="${colour}"/>${label(at + 15, 13, name, 'start')}`
    })
    .join('')
}

function label(x: number, y: number, text: string, anchor: 'start' | 'middle' | 'end'): string {
  return `<text x="${n(x)}" y="${n(y)}" font-size="10.5" fill="${MUTED}" text-anchor="${anchor}">${escapeText(text)}</text>`
}

function svg(...parts: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}">${parts.join('')}</svg>`
}

function n(value: number): string {
  return String(Math.round(value * 10) / 10)
}
