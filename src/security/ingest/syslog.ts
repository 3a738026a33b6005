import type { YearlessTime } from './syslog-year.ts'
import { normaliseTime } from './time.ts'

/** Month names; the position gives the number. */
const MONTHS = 'JanFebMarAprMayJunJulAugSepOctNovDec'
const DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
const MILLISECONDS_A_SECOND = 1000

/** `<38>Dec 10 06:55:46 host rest`, priority and fraction optional. */
const TRADITIONAL =
  /^(?:<\d{1,3}>)?([A-Z][a-z]{2}) ([ \d]?\d) (\d\d):(\d\d):(\d\d)(?:\.\d{1,9})? (\S+) (.*)$/s
/** `<38>2016-12-10T06:55:46.123456+08:00 host rest`, as rsyslog and journald write files. */
const DATED = /^(?:<\d{1,3}>)?(\d{4}-\d\d-\d\dT\S+) (\S+) (.*)$/s
/** RFC 5424: `<38>1 time host program pid id structured-data message`. */
const RFC5424 = /^<\d{1,3}>1 (\S+) (\S+) (\S+) (\S+) \S+ (?:-|(?:\[(?:[^\]\\]|\\.)*\])+)(?: \ufeff?(.*))?$/s
const TAG = /^([^\s:[\]]{1,64})(?:\[(\d{1,10})\])?: ?(.*)$/s

/** A parsed syslog line. */
export interface SyslogLine {
  /** RFC 3339 in UTC, or a time without year and zone. */
  readonly time: string | YearlessTime
  readonly host: string
  /** Null for messages of syslog itself, such as `last message repeated 2 times`. */
  readonly program: string | null
  readonly pid: number | null
  readonly message: string
}

/** Returns the parsed line, or why it is not a syslog line. */
export function parseSyslog(line: string): SyslogLine | string {
  const traditional = TRADITIONAL.exec(line)
  if (traditional !== null) {
    const [, month = '', day, hour, minute, second, host = '', rest = ''] = traditional
    const time = yearlessTime(month, Number(day), Number(hour), Number(minute), Number(second))
    return time === null ? 'the time is not a valid date or hour' : withTag(time, host, rest)
  }
  const structured = RFC5424.exec(line)
  if (structured !== null) {
    const [, written = '', host = '', program = '', pid = '', message = ''] = structured
    const time = normaliseTime(written)
    if (time === null) return 'the time is not RFC 3339 with an offset'
    return { time, host, program, pid: /^\d+$/.test(pid) ? Number(pid) : null, message }
  }
  const dated = DATED.exec(line)
  if (dated === null) return 'not a syslog line'
  const [, written = '', host = '', rest = ''] = dated
  const time = normaliseTime(written)
  return time === null ? 'the time is not RFC 3339 with an offset' : withTag(time, host, rest)
}

function withTag(time: string | YearlessTime, host: string, rest: string): SyslogLine {
  const tag = TAG.exec(rest)
  if (tag === null) return { time, host, program: null, pid: null, message: rest }
  const [, program = '', pid, message = ''] = tag
  return { time, host, program, pid: pid === undefined ? null : Number(pid), message }
}

function yearlessTime(
  name: string,
  day: number,
  hour: number,
  minute: number,
  second: number,
): YearlessTime | null {
  const at = MONTHS.indexOf(name)
  // Accepts 29 February; whether the year has one is checked when the year is known.
  if (at % 3 !== 0 || day < 1 || hour > 23 || minute > 59 || second > 60) return null
  const month = at / 3 + 1
  if (day > (DAYS[month - 1] ?? 0)) return null
  return { month, day, clock: ((hour * 60 + minute) * 60 + second) * MILLISECONDS_A_SECOND }
}
