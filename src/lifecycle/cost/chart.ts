/** An SVG chart of a forecast: cumulative cost, all in the database compared with archived. */
import type { Forecast } from './forecast.ts'

const WIDTH = 800
const HEIGHT = 420
const LEFT = 90
const RIGHT = 150
const TOP = 50
const BOTTOM = 40
const GRID_LINES = 5
const MONTHS_A_YEAR = 12

/** Dollars without cents. */
export function dollars(amount: number): string {
  return `$${Math.round(amount).toLocaleString('en-US')}`
}

export function chartSvg({ months, totals, assumptions }: Forecast): string {
  const width = WIDTH - LEFT - RIGHT
  const height = HEIGHT - TOP - BOTTOM
  const most = Math.max(1, ...months.map(({ keepTotal, archiveTotal }) => Math.max(keepTotal, archiveTotal)))
  const x = (month: number) => LEFT + (month / Math.max(1, months.length)) * width
  const y = (amount: number) => TOP + height - (amount / most) * height
  const line = (amounts: readonly number[]) =>
    [0, ...amounts].map((amount, i) => `${x(i).toFixed(1)},${y(amount).toFixed(1)}`).join(' ')
  const grid = Array.from({ length: GRID_LINES + 1 }, (_, i) => (most * i) / GRID_LINES).map(
    (amount) =>
      `<line x1="${LEFT}" y1="${y(amount).toFixed(1)}" x2="${LEFT + width}" y2="${y(amount).toFixed(1)}" stroke="#ddd"/>` +
      `<text x="${LEFT - 8}" y="${(y(amount) + 4).toFixed(1)}" text-anchor="end">${dollars(amount)}</text>`,
  )
  const years = months
    .filter(({ month }) => month % MONTHS_A_YEAR === 0)
    .map(
      ({ month }) =>
        `<text x="${x(month).toFixed(1)}" y="${TOP + height + 20}" text-anchor="middle">${month / MONTHS_A_YEAR} y</text>`,
    )
  const label = (amount: number, text: string, color: string) =>
    `<text x="${LEFT + width + 8}" y="${(y(amount) + 4).toFixed(1)}" fill="${color}">${text} ${dollars(amount)}</text>`
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    `<text x="${LEFT}" y="24" font-size="15">Cumulative cost at ${assumptions.dailyGb} GB per day, saving ${totals.savingPercent.toFixed(0)} % of storage</text>`,
    ...grid,
    ...years,
    `<polyline fill="none" stroke="#c92a2a" stroke-width="2" points="${line(months.map(({ keepTotal }) => keepTotal))}"/>`,
    `<polyline fill="none" stroke="#1971c2" stroke-width="2" points="${line(months.map(({ archiveTotal }) => archiveTotal))}"/>`,
    label(totals.keep, 'database', '#c92a2a'),
    label(totals.archive.total, 'archive', '#1971c2'),
    '</svg>',
    '',
  ].join('\n')
}
