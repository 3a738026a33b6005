import { limitExceeded, loginTimeout, pamError, refused } from './authentication.ts'
import { probe, receivedDisconnect } from './connection.ts'
import type { SshdRule } from './facts.ts'

const LISTENING = /^Server listening on (\S+) port (\d+)/
const TERMINATING = /^Received signal (\d+); terminating/

export const listening: SshdRule = (message) => {
  const match = LISTENING.exec(message)
  return match === null
    ? null
    : { type: 'service_started', details: { listen: match[1], listen_port: Number(match[2]) } }
}

export const terminating: SshdRule = (message) => {
  const match = TERMINATING.exec(message)
  return match === null ? null : { type: 'service_stopped', details: { signal: Number(match[1]) } }
}

/** `error: …` and `fatal: …`: the reported event if it has its own type, else a failure of sshd. */
export const failed: SshdRule = (message) => {
  const colon = message.indexOf(': ')
  const level = message.slice(0, colon)
  const said = message.slice(colon + 2)
  for (const rule of [receivedDisconnect, limitExceeded, pamError, refused, loginTimeout, probe]) {
    const facts = rule(said)
    if (facts !== null) return facts
  }
  return { type: 'service_error', details: { level, reason: said } }
}
