import type { SshdFacts, SshdRule } from './facts.ts'

/**
 * A user name may contain anything, even ` from 192.0.2.1 port 22`, so the last occurrence in the message is the
 * real one. After `ssh2` only the description of a key by sshd may follow.
 */
const KEY = String.raw`[A-Z][A-Z0-9-]* (?:SHA256|MD5):\S+(?: ID .*)?`
/** By host key, the client says who and where it is; by Kerberos, the principal follows. */
const CLIENT = `, client user ".*", client host ".*"`
const TAIL = String.raw`: (${KEY}|${KEY}${CLIENT}|\S+@\S+)`
const ATTEMPT = new RegExp(
  String.raw`^(Failed|Accepted) (\S+) for (invalid user |illegal user )?(.*) from (\S+) port (\d+)(?: ssh[12])?(?:${TAIL})?$`,
  's',
)
const INVALID_USER = /^(?:Invalid|Illegal) user (.*) from (\S+?)(?: port (\d+))?$/s
const LIMIT =
  /^maximum authentication attempts exceeded for (?:invalid user )?(.*) from (\S+) port (\d+)(?: ssh[12])?$/s
const NOT_ALLOWED = /^User (.*) from (\S+) not allowed because (.*)$/s
const NOT_ALLOWED_NAMELESS = /^User (\S*) not allowed because (.*)$/s
const ROOT_REFUSED = /^ROOT LOGIN REFUSED FROM (\S+)(?: port (\d+))?/
const PAM_ERROR = /^PAM: (.*) for (?:illegal user |invalid user )?(.*) from (\S+?)(?: via (\S+))?$/s
/** A client user who contains the text of an attempt could put its address in place of the real one. */
const TWO_ATTEMPTS = / port \d+ ssh[12]: .*, client user "/s
const KEY_REFUSED = /^(?:Authentication refused|Certificate invalid): (.*)$/s
const ACCOUNT_REFUSED = /^Access denied for user (.*) by PAM account configuration$/s
const TIMEOUT =
  /^Timeout before authentication for (?:connection from )?(\S+)(?: to \S+?)?,?(?: port (\d+)| pid = \d+)?$/

/** `Failed password for invalid user x from 192.0.2.1 port 22 ssh2`: one line per real attempt. */
export const attempt: SshdRule = (message) => {
  const match = ATTEMPT.exec(message)
  if (match === null) return null
  const [, verdict, method = '', invalid, user, source, port, key] = match
  const details: Record<string, unknown> = { method }
  if (invalid !== undefined) details['invalid_user'] = true
  if (key !== undefined) details['key'] = key
  if (user !== undefined && TWO_ATTEMPTS.test(user)) {
    return { type: attemptType(verdict, method), details: { method, ambiguous: true } }
  }
  return { type: attemptType(verdict, method), user, source, port, details }
}

/** The method `none` carries no credential: clients use it to list the methods, without penalty. */
function attemptType(verdict: string | undefined, method: string): SshdFacts['type'] {
  if (verdict === 'Accepted') return 'authentication_success'
  return method === 'none' ? 'authentication_probe' : 'authentication_failure'
}

export const invalidUser: SshdRule = (message) => {
  const match = INVALID_USER.exec(message)
  if (match === null) return null
  return { type: 'invalid_user', user: match[1], source: match[2], port: match[3] }
}

export const limitExceeded: SshdRule = (message) => {
  const match = LIMIT.exec(message)
  if (match === null) return null
  return { type: 'authentication_limit_exceeded', user: match[1], source: match[2], port: match[3] }
}

export const userNotAllowed: SshdRule = (message) => {
  const match = NOT_ALLOWED.exec(message)
  if (match !== null) return denied(match[1], match[2], match[3])
  const nameless = NOT_ALLOWED_NAMELESS.exec(message)
  return nameless === null ? null : denied(nameless[1], undefined, nameless[2])
}

function denied(user: string | undefined, source: string | undefined, reason: string | undefined): SshdFacts {
  return { type: 'access_denied', user, source, details: { reason } }
}

export const rootRefused: SshdRule = (message) => {
  const match = ROOT_REFUSED.exec(message)
  if (match === null) return null
  return {
    type: 'access_denied',
    user: 'root',
    source: match[1],
    port: match[2],
    details: { reason: 'root login refused' },
  }
}

/** `error: PAM: Authentication failure for root from host`, for keyboard-interactive logins. */
export const pamError: SshdRule = (message) => {
  const match = PAM_ERROR.exec(message)
  if (match === null) return null
  const [, reason, user, source, address] = match
  const details = address === undefined ? { reason } : { reason, source }
  return { type: 'pam_authentication_failure', user, source: address ?? source, details }
}

/** A key, a certificate or an account that the configuration of the host does not accept. */
export const refused: SshdRule = (message) => {
  const account = ACCOUNT_REFUSED.exec(message)
  if (account !== null) return denied(account[1], undefined, 'PAM account configuration')
  return KEY_REFUSED.test(message) ? denied(undefined, undefined, message) : null
}

export const loginTimeout: SshdRule = (message) => {
  const match = TIMEOUT.exec(message)
  return match === null ? null : { type: 'login_timeout', source: match[1], port: match[2] }
}
