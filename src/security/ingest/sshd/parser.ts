import type { UnidentifiedEvent } from '../../event.ts'
import {
  DESCRIPTION_CHARACTERS,
  fit,
  NAME_CHARACTERS,
  RESOURCE_ID_CHARACTERS,
  SOURCE_SERVICE_CHARACTERS,
} from '../../event.ts'
import { normaliseAddress } from '../address.ts'
import { BLANK } from '../blank.ts'
import type { LineParser, Reading } from '../format.ts'
import type { SyslogLine } from '../syslog.ts'
import { parseSyslog } from '../syslog.ts'
import { createSyslogClock } from '../syslog-clock.ts'
import { zone } from '../zone.ts'
import type { SshdFacts } from './facts.ts'
import { sshdKinds } from './kinds.ts'
import { readMessage } from './message.ts'
import { readSu, readSudo } from './privilege.ts'

/** Bytes; the default limit of rsyslog. sshd truncates its messages to 1,024. */
export const MAX_SYSLOG_LINE_BYTES = 8192
/** Maximum repeats in one line; no log daemon collects more. */
export const MAX_REPEATS = 10_000

const SSHD = 'sshd'
/** OpenSSH 9.8 split its server. */
const PROGRAMS: ReadonlySet<string> = new Set([SSHD, 'sshd-session', 'sshd-auth'])
/** Their sessions are scheduled work, not logins. */
const SCHEDULERS = /^(?:cron|crond|anacron|atd)$/i
const PAM = /^pam_\w+\(/
/** rsyslog: N repetitions of the message in brackets. */
const REPEATED = /^message repeated (\d+) times?: \[ ?(.*)\]$/s
/** syslogd: N repetitions of the previous line. */
const LAST_REPEATED = /^(?:-- )?last message repeated (\d+) times?(?: --)?$/

export interface SshdOptions {
  /** IANA time zone for times without an offset. */
  readonly timezone: string
  /** Year of the first line without one; null infers it from `asOf`. */
  readonly year: number | null
  /** When the log was read: no line is later. */
  readonly asOf: Date
}

/** A parser that also returns the year of the last line. */
export interface SshdParser {
  readonly parse: LineParser
  readonly year: number | null
}

/** Parses syslog lines of the OpenSSH server, of the programs it was split into, of sudo, su and PAM. */
export function createSshdParser(options: SshdOptions): SshdParser {
  const clock = createSyslogClock(zone(options.timezone), options.asOf, options.year)
  let previous: { readonly host: string; readonly event: UnidentifiedEvent } | null = null

  const at = (line: SyslogLine) => {
    return typeof line.time === 'string' ? { time: line.time, reason: null } : clock.resolve(line.time)
  }

  const parse: LineParser = (text) => {
    const line = parseSyslog(text)
    if (typeof line === 'string') return line
    const { time, reason } = at(line)
    if (time === null) return reason
    const last = line.program === null ? LAST_REPEATED.exec(line.message) : null
    if (last !== null) {
      if (previous?.host !== line.host) return 'not an event: repeats a line that is not an event'
      return repeat({ ...previous.event, created_at: time, description: line.message }, Number(last[1]))
    }
    previous = null
    const repeated = line.message.startsWith('message repeated ') ? REPEATED.exec(line.message) : null
    const facts = read(line.program, (repeated?.[2] ?? line.message).trimEnd())
    if (typeof facts === 'string') return facts
    const event = toEvent(line, facts, time)
    previous = { host: line.host, event }
    return repeated === null ? [reading(event)] : repeat(event, Number(repeated[1]))
  }
  return {
    parse,
    get year() {
      return clock.year
    },
  }
}

function read(program: string | null, message: string): SshdFacts | string {
  if (program !== null && PROGRAMS.has(program)) return readMessage(message)
  if (program !== null && PAM.test(message) && !SCHEDULERS.test(program)) return readMessage(message)
  if (program === 'sudo') return readSudo(message)
  if (program === 'su') return readSu(message)
  return `not an event: written by ${fit(program, NAME_CHARACTERS) ?? 'an unnamed program'}, not sshd`
}

function repeat(event: UnidentifiedEvent, times: number): readonly Reading[] | string {
  if (times > MAX_REPEATS) return `repeats a message ${times} times, more than ${MAX_REPEATS}`
  if (times < 1) return 'repeats a message no times'
  return Array.from({ length: times }, () => reading(event))
}

function reading(event: UnidentifiedEvent): Reading {
  return { event, id: null, key: null }
}

function toEvent(line: SyslogLine, facts: SshdFacts, time: string): UnidentifiedEvent {
  const kind = sshdKinds[facts.type]
  const source = facts.source === undefined || facts.source === '' ? null : facts.source
  const address = source === null ? null : normaliseAddress(source)
  const service = PROGRAMS.has(line.program ?? '')
    ? SSHD
    : (fit(line.program, SOURCE_SERVICE_CHARACTERS) ?? SSHD)
  const details: Record<string, unknown> = { host: line.host, program: line.program }
  if (line.pid !== null) details['pid'] = line.pid
  if (facts.port !== undefined) details['port'] = Number(facts.port)
  // Keeps a host name, zone or mapped address that the column cannot store.
  if (source !== null && address !== source) details['source'] = source
  return {
    ...BLANK,
    event_type: facts.type,
    event_category: kind.category,
    severity: kind.severity,
    source_service: service,
    description: fit(line.message.trimEnd(), DESCRIPTION_CHARACTERS),
    user_name: fit(facts.user, NAME_CHARACTERS),
    source_ip: address,
    resource_type: 'host',
    resource_id: fit(line.host, RESOURCE_ID_CHARACTERS),
    action_performed: kind.action,
    result: kind.result,
    ocsf_class_uid: kind.ocsfClass,
    event_details: facts.details === undefined ? details : { ...details, ...facts.details },
    created_at: time,
  }
}
