import { type JsonObject, parseJsonObject } from './json-text.ts'
import type { YearlessTime } from './syslog-year.ts'
import { formatTime, normaliseTime } from './time.ts'

/** Month names; the position gives the number. */
const MONTHS = 'JanFebMarAprMayJunJulAugSepOctNovDec'
const DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
const MILLISECONDS_A_SECOND = 1000
const MICROSECONDS_A_MILLISECOND = 1000

/** The priority (RFC 5424, 6.2.1), after the length of the frame if the file is a capture of a TCP stream (RFC 6587). */
const FRAME = String.raw`^(?:\d{1,6} (?=<))?(?:<\d{1,3}>)?`
/** `facility.level`, which BusyBox writes before the program, and BSD's `syslogd -v` in brackets before the host. */
const PRIORITY = String.raw`(?:auth|authpriv|user|daemon|security|local[0-7])\.[a-z]{3,7}`
/** `<38>Dec 10 06:55:46 host rest`; priority, year and fraction optional. */
const TRADITIONAL = new RegExp(
  String.raw`${FRAME}([A-Z][a-z]{2}) ([ \d]?\d) (?:(\d{4}) )?(\d\d):(\d\d):(\d\d)(?:[.,]\d{1,9})? (?:<${PRIORITY}> )?(\S+) (?:<?${PRIORITY}>? )?(.*)$`,
  's',
)
/** `<38>2016-12-10T06:55:46.123456+08:00 host rest`, as rsyslog, BSD and journald write files. */
const DATED = new RegExp(
  String.raw`${FRAME}(\d{4}-\d\d-\d\dT\S+) (?:<${PRIORITY}> )?(\S+) (?:<?${PRIORITY}>? )?(.*)$`,
  's',
)
/** RFC 5424: `<38>1 time host program pid id structured-data message`. */
const RFC5424 =
  /^(?:\d{1,6} (?=<))?<\d{1,3}>1 (\S+) (\S+) (\S+) (\S+) \S+ (?:-|(?:\[(?:[^\]\\]|\\.)*\])+)(?: \ufeff?(.*))?$/s
/** `sshd[1]: rest`, also with the path of the program, with the PAM module of old Linux, and with Solaris' message id. */
const TAG = /^([^\s:[\]]{1,128}?)(?:\((pam_\w+)\))?(?:\[(\d{1,10})\])?: ?(?:\[ID \d+ [\w.]+\] )?(.*)$/s

/** A parsed syslog line. */
export interface SyslogLine {
  /** RFC 3339 in UTC, or a local time, usually without year. */
  readonly time: string | YearlessTime
  readonly host: string
  /** Null for messages of syslog itself, such as `last message repeated 2 times`. */
  readonly program: string | null
  readonly pid: number | null
  readonly message: string
}

/** Returns the parsed line, or why it is not a syslog line. */
export function parseSyslog(line: string): SyslogLine | string {
  if (line.startsWith('{')) return parseJournal(line)
  const traditional = TRADITIONAL.exec(line)
  if (traditional !== null) {
    const [, month = '', day, year, hour, minute, second, host = '', rest = ''] = traditional
    const time = localTimeOf(month, Number(day), year, Number(hour), Number(minute), Number(second))
    return time === null ? 'the time is not a valid date or hour' : withTag(time, host, rest)
  }
  const structured = RFC5424.exec(line)
  if (structured !== null) {
    const [, written = '', host = '', program = '', pid = '', message = ''] = structured
    const time = normaliseTime(written)
    if (time === null) return 'the time is not RFC 3339 with an offset'
    return { time, host, program: baseName(program), pid: /^\d+$/.test(pid) ? Number(pid) : null, message }
  }
  const dated = DATED.exec(line)
  if (dated === null) return 'not a syslog line'
  const [, written = '', host = '', rest = ''] = dated
  const time = normaliseTime(written)
  return time === null ? 'the time is not RFC 3339 with an offset' : withTag(time, host, rest)
}

/** An entry of the journal, as `journalctl -o json` writes it. */
function parseJournal(line: string): SyslogLine | string {
  const entry = parseJsonObject(line)
  if (typeof entry === 'string') return entry
  const microseconds = Number(journalText(entry, '__REALTIME_TIMESTAMP') ?? Number.NaN)
  if (!Number.isSafeInteger(microseconds) || microseconds < 0) {
    return 'neither a syslog line nor an entry of the journal: __REALTIME_TIMESTAMP is missing'
  }
  const message = journalText(entry, 'MESSAGE')
  if (message === null) return 'an entry of the journal without MESSAGE'
  const pid = journalText(entry, 'SYSLOG_PID') ?? journalText(entry, '_PID')
  return {
    time: journalTime(microseconds),
    host: journalText(entry, '_HOSTNAME') ?? 'unknown',
    program: baseName(journalText(entry, 'SYSLOG_IDENTIFIER') ?? journalText(entry, '_COMM') ?? 'unknown'),
    pid: pid !== null && /^\d{1,10}$/.test(pid) ? Number(pid) : null,
    message,
  }
}

function journalTime(microseconds: number): string {
  const whole = formatTime(Math.floor(microseconds / MICROSECONDS_A_MILLISECOND / 1000) * 1000).slice(0, 19)
  const digits = String(microseconds % 1_000_000)
    .padStart(6, '0')
    .replace(/0+$/, '')
  return digits === '' ? `${whole}Z` : `${whole}.${digits}Z`
}

/** A field of the journal: text, the bytes of what is not UTF-8, or several values; the first one counts. */
function journalText(entry: JsonObject, key: string): string | null {
  const value = Object.hasOwn(entry, key) ? entry[key] : null
  const first = Array.isArray(value) && typeof value[0] === 'string' ? value[0] : value
  if (typeof first === 'string') return first === '' ? null : first
  if (typeof first === 'number') return String(first)
  if (!Array.isArray(first) || !first.every((byte) => Number.isInteger(byte) && byte >= 0 && byte < 256))
    return null
  return Buffer.from(first).toString('utf8').replaceAll('\0', '\u2400')
}

function withTag(time: string | YearlessTime, host: string, rest: string): SyslogLine {
  const tag = TAG.exec(rest)
  if (tag === null) return { time, host, program: null, pid: null, message: rest }
  const [, program = '', module, pid, message = ''] = tag
  return {
    time,
    host,
    program: baseName(program),
    pid: pid === undefined ? null : Number(pid),
    // Linux-PAM before 1.0 wrote its module there; later versions write it like this.
    message: module === undefined ? message : `${module}(${program}:unknown): ${message}`,
  }
}

function baseName(program: string): string {
  return program.slice(program.lastIndexOf('/') + 1)
}

function localTimeOf(
  name: string,
  day: number,
  year: string | undefined,
  hour: number,
  minute: number,
  second: number,
): YearlessTime | null {
  const at = MONTHS.indexOf(name)
  // Accepts 29 February; whether the year has one is checked when the year is known.
  if (at % 3 !== 0 || day < 1 || hour > 23 || minute > 59 || second > 60) return null
  const month = at / 3 + 1
  if (day > (DAYS[month - 1] ?? 0)) return null
  const time = { month, day, clock: ((hour * 60 + minute) * 60 + second) * MILLISECONDS_A_SECOND }
  return year === undefined ? time : { ...time, year: Number(year) }
}
