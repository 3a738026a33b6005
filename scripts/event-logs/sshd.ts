import { type LogGenerator, type MadeLine, take } from './log.ts'
import { address, createRandom, type Random } from './random.ts'

/** A few days before the end of a year, so that a long log crosses it. Local time, as if UTC. */
const START = Date.UTC(2016, 11, 28, 6, 55, 46)
/** `--year` and `--timezone` to read the log with. */
export const SSHD_LOG_YEAR = 2016
export const SSHD_LOG_TIMEZONE = 'Asia/Shanghai'
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const USERS = [
  'root',
  'admin',
  'oracle',
  'test',
  'pi',
  'git',
  'deploy',
  'フナ',
  'a from 198.51.100.7 port 22',
] as const

interface Connection {
  readonly random: Random
  readonly say: (message: string, seconds?: number) => string
  readonly from: string
  readonly port: number
  readonly user: string
}

/** The log of an OpenSSH 6 server on the internet, in the format of the Loghub data set. */
export const generateSshdLog: LogGenerator = (lines, seed) => take(lines, connections(createRandom(seed)))

function* connections(random: Random): Generator<MadeLine, void, undefined> {
  let now = START
  let pid = 24_200
  for (;;) {
    pid = pid >= 32_000 ? 1000 : pid + 1 + random.below(3)
    now += random.below(3) * 1000
    const own = pid
    const say = (message: string, seconds = 0) => {
      now += seconds * 1000
      return `${stamp(now)} LabSZ sshd[${own}]: ${message}`
    }
    const connection = {
      random,
      say,
      from: address(random),
      port: 1024 + random.below(60_000),
      user: random.pick(USERS),
    }
    const story = random.below(100)
    if (story < 45) yield* knownUser(connection)
    else if (story < 80) yield* unknownUser(connection)
    else if (story < 88) yield* insistent(connection)
    else if (story < 94)
      yield {
        text: say(`Did not receive identification string from ${connection.from}`),
        type: 'connection_probe',
      }
    else if (story < 97) yield* login(connection)
    else
      yield {
        text: `${stamp(now)} LabSZ CRON[${own}]: pam_unix(cron:session): session opened for user root by (uid=0)`,
        type: null,
      }
  }
}

function* knownUser({ say, from, port, random }: Connection): Generator<MadeLine, void, undefined> {
  yield { text: say(`${pamFailure(from)}  user=root`), type: 'pam_authentication_failure' }
  yield failed(say, 'root', from, port)
  if (random.below(4) === 0) yield failed(say, 'root', from, port)
  yield {
    text: say(`Received disconnect from ${from}: 11: Bye Bye [preauth]`),
    type: 'connection_disconnected',
  }
}

function* unknownUser({ say, from, port, user, random }: Connection): Generator<MadeLine, void, undefined> {
  if (random.below(3) === 0) {
    const text = say(
      `reverse mapping checking getaddrinfo for ns.example.com [${from}] failed - POSSIBLE BREAK-IN ATTEMPT!`,
    )
    yield { text, type: 'reverse_mapping_failed' }
  }
  yield { text: say(`Invalid user ${user} from ${from}`), type: 'invalid_user' }
  yield { text: say(`input_userauth_request: invalid user ${user} [preauth]`), type: null }
  yield { text: say('pam_unix(sshd:auth): check pass; user unknown'), type: null }
  yield { text: say(`${pamFailure('ns.example.com')} `), type: 'pam_authentication_failure' }
  yield failed(say, `invalid user ${user}`, from, port)
  yield { text: say(`Connection closed by ${from} [preauth]`), type: 'connection_closed' }
}

function* insistent({ say, from, port, random }: Connection): Generator<MadeLine, void, undefined> {
  const times = 2 + random.below(5)
  yield { text: say(`${pamFailure(from)}  user=root`), type: 'pam_authentication_failure' }
  yield failed(say, 'root', from, port)
  const repeated = say(
    `message repeated ${times} times: [ Failed password for root from ${from} port ${port} ssh2]`,
    9,
  )
  yield { text: repeated, type: 'authentication_failure', times, address: from }
  yield {
    text: say('Disconnecting: Too many authentication failures for root [preauth]'),
    type: 'authentication_limit_exceeded',
  }
  const more = say(
    `PAM ${times} more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost=${from}  user=root`,
  )
  yield { text: more, type: 'pam_more_authentication_failures' }
  yield {
    text: say(`PAM service(sshd) ignoring max retries; ${times + 1} > 3`),
    type: 'pam_retry_limit_ignored',
  }
}

function* login({ say, from, port }: Connection): Generator<MadeLine, void, undefined> {
  yield {
    text: say(`Accepted password for fztu from ${from} port ${port} ssh2`),
    type: 'authentication_success',
  }
  yield {
    text: say('pam_unix(sshd:session): session opened for user fztu by (uid=0)'),
    type: 'session_opened',
  }
  yield { text: say('pam_unix(sshd:session): session closed for user fztu', 60), type: 'session_closed' }
}

function failed(say: Connection['say'], whom: string, from: string, port: number): MadeLine {
  const text = say(`Failed password for ${whom} from ${from} port ${port} ssh2`, 2)
  return { text, type: 'authentication_failure', address: from }
}

function pamFailure(host: string): string {
  return `pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=${host}`
}

function stamp(milliseconds: number): string {
  const at = new Date(milliseconds)
  const day = String(at.getUTCDate()).padStart(2)
  return `${MONTHS[at.getUTCMonth()] ?? ''} ${day} ${at.toISOString().slice(11, 19)}`
}
