import type { UnidentifiedEvent } from '../../event.ts'
import { DESCRIPTION_CHARACTERS, fit, NAME_CHARACTERS, RESOURCE_ID_CHARACTERS } from '../../event.ts'
import { normaliseAddress } from '../address.ts'
import type { LineParser, Reading } from '../format.ts'
import type { SyslogLine } from '../syslog.ts'
import { parseSyslog } from '../syslog.ts'
import { createSyslogClock } from '../syslog-clock.ts'
import { zone } from '../zone.ts'
import type { SshdFacts } from './facts.ts'
import { sshdKinds } from './kinds.ts'
import { readMessage } from './message.ts'

/** Bytes; the default limit of rsyslog. sshd truncates its messages to 1,024. */
export const MAX_SYSLOG_LINE_BYTES = 8192
/** Maximum repeats in one line; no log daemon collects more. */
export const MAX_REPEATS = 10_000

const PROGRAMS: ReadonlySet<string> = new Set(['sshd', 'sshd-session', 'sshd-auth'])
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

/** Parses syslog lines of the OpenSSH server, of the programs it was split into, and of PAM. */
export function createSshdParser(options: SshdOptions): LineParser {
  const clock = createSyslogClock(zone(options.timezone), options.asOf, options.year)
  let previous: { readonly host: string; readonly event: UnidentifiedEvent } | null = null

  const at = (line: SyslogLine) => {
    return typeof line.time === 'string' ? { time: line.time, reason: null } : clock.resolve(line.time)
  }

  return (text) => {
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
    if (line.program === null || !PROGRAMS.has(line.program)) {
      return `not an event: written by ${fit(line.program, NAME_CHARACTERS) ?? 'an unnamed program'}, not sshd`
    }
    const repeated = line.message.startsWith('message repeated ') ? REPEATED.exec(line.message) : null
    const facts = readMessage((repeated?.[2] ?? line.message).trimEnd())
    if (typeof facts === 'string') return facts
    const event = toEvent(line, facts, time)
    previous = { host: line.host, event }
    return repeated === null ? [reading(event)] : repeat(event, Number(repeated[1]))
  }
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
  const details: Record<string, unknown> = { host: line.host, program: line.program }
  if (line.pid !== null) details['pid'] = line.pid
  if (facts.port !== undefined) details['port'] = Number(facts.port)
  // Keeps a host name, zone or mapped address that the column cannot store.
  if (source !== null && address !== source) details['source'] = source
  return {
    event_type: facts.type,
    event_category: kind.category,
    severity: kind.severity,
    source_service: 'sshd',
    description: fit(line.message.trimEnd(), DESCRIPTION_CHARACTERS),
    user_id: null,
    user_name: fit(facts.user, NAME_CHARACTERS),
    external_user_id: null,
    session_id: null,
    source_ip: address,
    user_agent: null,
    resource_type: 'host',
    resource_id: fit(line.host, RESOURCE_ID_CHARACTERS),
    action_performed: kind.action,
    result: kind.result,
    tenant_id: null,
    tenant_name: null,
    client_id: null,
    client_name: null,
    request_id: null,
    trace_id: null,
    ocsf_class_uid: kind.ocsfClass,
    event_details: facts.details === undefined ? details : { ...details, ...facts.details },
    created_at: time,
  }
}
