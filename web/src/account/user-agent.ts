const browsers = [
  ['Edge', /\bEdg(?:e|A|iOS)?\//],
  ['Opera', /\bOPR\//],
  ['Firefox', /\b(?:Firefox|FxiOS)\//],
  ['Chrome', /\b(?:Chrome|CriOS|HeadlessChrome)\//],
  ['Safari', /\bSafari\//],
] as const

const systems = [
  ['iPhone', /\biPhone\b/],
  ['iPad', /\biPad\b/],
  ['Android', /\bAndroid\b/],
  ['Windows', /\bWindows\b/],
  ['macOS', /\bMac OS X\b/],
  ['ChromeOS', /\bCrOS\b/],
  ['Linux', /\bLinux\b/],
] as const

export interface Device {
  readonly browser: string
  readonly system: string
  readonly mobile: boolean
}

/** Browser and operating system of a user agent; null if it is not a known browser. */
export function deviceOf(userAgent: string | null): Device | null {
  const find = (table: typeof browsers | typeof systems) =>
    table.find(([, pattern]) => pattern.test(userAgent ?? ''))?.[0]
  const browser = find(browsers)
  const system = find(systems)
  if (browser === undefined || system === undefined) return null
  return { browser, system, mobile: ['iPhone', 'iPad', 'Android'].includes(system) }
}
