const DAYS_A_YEAR = 365.25
const DAYS_A_MONTH = 30.44

/** Days of an ISO 8601 period such as `P2Y` or `P90D`, to compare and draw them; 0 for anything else. */
export function days(period: string): number {
  const [, years = '0', months = '0', weeks = '0', rest = '0'] =
    /^P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?/.exec(period) ?? []
  return Math.round(
    Number(years) * DAYS_A_YEAR + Number(months) * DAYS_A_MONTH + Number(weeks) * 7 + Number(rest),
  )
}
