import {
  attempt,
  invalidUser,
  limitExceeded,
  loginTimeout,
  refused,
  rootRefused,
  userNotAllowed,
} from './authentication.ts'
import {
  connection,
  disconnected,
  disconnecting,
  dropped,
  penalised,
  probe,
  receivedDisconnect,
  reverseMapping,
} from './connection.ts'
import type { SshdFacts, SshdRule } from './facts.ts'
import { pamModule, pamSummary } from './pam.ts'
import { failed, listening, terminating } from './service.ts'

const follows =
  (what: string): SshdRule =>
  () =>
    `not an event: ${what}`
const received: SshdRule = (message) => receivedDisconnect(message) ?? terminating(message)
const undecided = follows('the attempt is still pending')
const repeatsSession = follows('reported by the session opened line')
const repeatsInvalidUser = follows("reported by the 'Invalid user' line of the same connection")

/** Rules by the first word of a message. */
const rules = new Map<string, SshdRule>([
  ['Failed', attempt],
  ['Accepted', attempt],
  ['Invalid', invalidUser],
  ['Illegal', invalidUser],
  ['User', userNotAllowed],
  ['Authentication', refused],
  ['Certificate', refused],
  ['Access', refused],
  ['maximum', limitExceeded],
  ['srclimit_penalise:', penalised],
  ['ROOT', rootRefused],
  ['Timeout', loginTimeout],
  ['PAM', pamSummary],
  ['Connection', connection],
  ['Received', received],
  ['Disconnected', disconnected],
  ['Disconnecting', disconnecting],
  ['Disconnecting:', disconnecting],
  ['Did', probe],
  ['Bad', probe],
  ['banner', probe],
  ['Unable', probe],
  ['Protocol', probe],
  ['kex_exchange_identification:', probe],
  ['kex_protocol_error:', probe],
  ['ssh_dispatch_run_fatal:', probe],
  ['drop', dropped],
  ['dropping', dropped],
  ['beginning', dropped],
  ['exited', dropped],
  ['reverse', reverseMapping],
  ['Address', reverseMapping],
  ['Nasty', reverseMapping],
  ['Server', listening],
  ['error:', failed],
  ['fatal:', failed],
  ['Postponed', undecided],
  ['Partial', undecided],
  ['Starting', repeatsSession],
  ['input_userauth_request:', repeatsInvalidUser],
])

/** Suffix of messages of sshd's unprivileged child; kept in the description. */
const BEFORE_AUTHENTICATION = ' [preauth]'

/** Returns the facts of an sshd message, or why it is not an event. */
export function readMessage(written: string): SshdFacts | string {
  const message = written.endsWith(BEFORE_AUTHENTICATION)
    ? written.slice(0, -BEFORE_AUTHENTICATION.length)
    : written
  const space = message.indexOf(' ')
  const word = space < 0 ? message : message.slice(0, space)
  const rule = rules.get(word) ?? (word.startsWith('pam_') ? pamModule : undefined)
  return rule?.(message) ?? 'not an event: unknown sshd message'
}
