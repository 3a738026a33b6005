import { currentLanguage } from '../../i18n/index.ts'

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
const STEP = 1_024

/** “5.9 MiB”. */
export function bytes(count: number): string {
  let value = count
  let unit = 0
  while (value >= STEP && unit < units.length - 1) {
    value /= STEP
    unit += 1
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1
  return `${new Intl.NumberFormat(currentLanguage(), { maximumFractionDigits: digits }).format(value)} ${units[unit]}`
}

const MINUTE_S = 60
const HOUR_S = 60 * MINUTE_S
const DAY_S = 24 * HOUR_S

/** “1.6 s”, “12 min”: seconds in the unit that says most. */
export function duration(seconds: number): string {
  const [value, unit] =
    seconds < MINUTE_S
      ? [seconds, 'second']
      : seconds < HOUR_S
        ? [seconds / MINUTE_S, 'minute']
        : seconds < DAY_S
          ? [seconds / HOUR_S, 'hour']
          : [seconds / DAY_S, 'day']
  return new Intl.NumberFormat(currentLanguage(), {
    style: 'unit',
    unit,
    unitDisplay: 'short',
    maximumFractionDigits: value < 10 ? 1 : 0,
  }).format(value)
}
