import type { SshdFacts } from './facts.ts'

/** `alice : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/srv/alice ; USER=root ; COMMAND=/bin/ls`. */
const SUDO = /^ *(\S+) : (.*)$/s
const SUDO_FIELD = /(?:^|[;,] ?|\s)(TTY|PWD|USER|GROUP|TSID|ENV)=(.*?)(?= ; |$)/gs
const COMMAND = /(?:^| ; )COMMAND=(.*)$/s
const TO = /^(FAILED SU )?\(to (\S+)\) (\S+) on (\S+)$/
const FOR = /^(FAILED|Successful) su for (\S+) by (\S+)$/i
const BSD = /^(BAD SU )?(\S+) to (\S+) on (\S+)$/
const SIGN = /^([+-]) (\S+) (\S+?):(\S+)$/

/** A message of sudo. What precedes the fields, if anything, says why it refused. */
export function readSudo(message: string): SshdFacts | string {
  const match = SUDO.exec(message)
  const command = COMMAND.exec(match?.[2] ?? '')
  if (match === null || command === null) return 'not an event: unknown message of sudo'
  const [, user, said = ''] = match
  if (said.startsWith('(command continued) ')) return 'not an event: continues the command of the line before'
  const fields = said.slice(0, command.index)
  const reason = /^(?!\w+=)(.*?)(?= ; |$)/s.exec(fields)?.[1] ?? ''
  const details: Record<string, unknown> = { command: command[1] }
  for (const [, name = '', value] of fields.matchAll(SUDO_FIELD)) {
    if (name === 'USER') details['target_user'] = value
    else if (name !== 'ENV') details[name.toLowerCase()] = value
  }
  if (reason === '') return { type: 'privileged_command', user, details }
  return { type: 'privileged_command_refused', user, details: { ...details, reason } }
}

/** A message of su, of util-linux, shadow or BSD. */
export function readSu(message: string): SshdFacts | string {
  const to = TO.exec(message)
  if (to !== null) return switched(to[1] === undefined, to[3], to[2], to[4])
  const done = FOR.exec(message)
  if (done !== null) return switched(done[1] === 'Successful', done[3], done[2])
  const bsd = BSD.exec(message)
  if (bsd !== null) return switched(bsd[1] === undefined, bsd[2], bsd[3], bsd[4])
  const sign = SIGN.exec(message)
  if (sign !== null) return switched(sign[1] === '+', sign[3], sign[4], sign[2])
  return 'not an event: unknown message of su'
}

function switched(success: boolean, user?: string, target?: string, tty?: string): SshdFacts {
  const details = tty === undefined ? { target_user: target } : { target_user: target, tty }
  return { type: success ? 'user_switched' : 'user_switch_failed', user, details }
}
