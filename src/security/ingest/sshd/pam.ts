import type { SshdFacts, SshdRule } from './facts.ts'

const MODULE = /^(pam_\w+)\([\w-]+:\w+\): (.*)$/s
/** `alice(uid=1000)`; of a login, `(uid=0)`. */
const BY = /^(\S.*?)\(uid=\d+\)$/s
const MORE = /^PAM (\d+) more authentication failures?; /
const RETRIES = /^PAM service\([\w-]+\) ignoring max retries; (\d+) > (\d+)$/
const SESSION = /^session (opened|closed) for user (.*?)(?:\(uid=\d+\))?(?: by (.*))?$/s
const LOCKED =
  /^(?:Consecutive login failures for user|user) (\S+) (?:account temporarily locked|\(\d+\) tally \d+)/
const REMOTE_HOST = ' rhost='
const USER = 'user='

/** `pam_unix(sshd:auth): …` */
export const pamModule: SshdRule = (message) => {
  const match = MODULE.exec(message)
  if (match === null) return null
  const [, module = '', said = ''] = match
  if (said.startsWith('authentication failure; ')) {
    return { type: 'pam_authentication_failure', ...client(said), details: { module } }
  }
  if (said.startsWith('check pass;'))
    return 'not an event: reported by the authentication failure that follows'
  return session(module, said) ?? locked(module, said)
}

function session(module: string, said: string): SshdFacts | null {
  const match = SESSION.exec(said)
  if (match === null) return null
  const type = match[1] === 'opened' ? 'session_opened' : 'session_closed'
  const by = BY.exec(match[3] ?? '')?.[1]
  return { type, user: match[2], details: by === undefined ? { module } : { module, by } }
}

function locked(module: string, said: string): SshdFacts | null {
  const match = LOCKED.exec(said)
  return match === null ? null : { type: 'account_locked', user: match[1], details: { module, reason: said } }
}

/** `PAM 5 more authentication failures; …`: a summary of attempts that have their own lines. */
export const pamSummary: SshdRule = (message) => {
  const more = MORE.exec(message)
  if (more !== null) {
    return {
      type: 'pam_more_authentication_failures',
      ...client(message),
      details: { count: Number(more[1]) },
    }
  }
  const retries = RETRIES.exec(message)
  if (retries === null) return null
  return {
    type: 'pam_retry_limit_ignored',
    details: { count: Number(retries[1]), limit: Number(retries[2]) },
  }
}

/** `… ruser= rhost=192.0.2.1  user=root`: the user comes last, since its name may contain anything. */
function client(said: string): Pick<SshdFacts, 'source' | 'user'> {
  const at = said.indexOf(REMOTE_HOST)
  if (at < 0) return {}
  const rest = said.slice(at + REMOTE_HOST.length)
  const space = rest.indexOf(' ')
  if (space < 0) return { source: rest }
  const after = rest.slice(space).trim()
  return { source: rest.slice(0, space), user: after.startsWith(USER) ? after.slice(USER.length) : undefined }
}
