import type { EventCategory, EventResult, Severity } from '../../event.ts'

/** OCSF classes of sshd events. */
const AUTHENTICATION = 3002
const AUTHORIZE_SESSION = 3003
const SSH_ACTIVITY = 4007
const APPLICATION_LIFECYCLE = 6002

interface Kind {
  readonly category: EventCategory
  readonly severity: Severity
  readonly action: string
  readonly result: EventResult | null
  readonly ocsfClass: number
}

/**
 * The event types of sshd lines. One real attempt writes up to five lines; each has its own type, so that
 * counting `authentication_failure` counts attempts.
 */
export const sshdKinds = {
  authentication_success: authentication('info', 'login', 'success'),
  authentication_failure: authentication('low', 'login', 'failure'),
  authentication_probe: authentication('info', 'list authentication methods', 'failure'),
  authentication_limit_exceeded: authentication('medium', 'login', 'failure'),
  invalid_user: authentication('low', 'login', 'failure'),
  pam_authentication_failure: authentication('low', 'login', 'failure'),
  pam_more_authentication_failures: authentication('low', 'login', 'failure'),
  pam_retry_limit_ignored: authentication('medium', 'login', 'failure'),
  account_locked: authentication('medium', 'lock account', 'success'),
  login_timeout: authentication('low', 'login', 'failure'),
  session_opened: authentication('info', 'open session', 'success'),
  session_closed: authentication('info', 'close session', 'success'),
  access_denied: { ...authentication('medium', 'login', 'failure'), category: 'authorization' },
  privileged_command: privilege('low', 'sudo', 'success'),
  privileged_command_refused: privilege('medium', 'sudo', 'failure'),
  user_switched: privilege('low', 'su', 'success'),
  user_switch_failed: privilege('medium', 'su', 'failure'),
  connection_opened: network('info', 'connect', 'success'),
  connection_closed: network('info', 'disconnect', null),
  connection_disconnected: network('info', 'disconnect', null),
  connection_refused: network('low', 'connect', 'failure'),
  source_penalised: network('medium', 'connect', 'failure'),
  connection_probe: network('low', 'connect', 'failure'),
  reverse_mapping_failed: network('low', 'connect', null),
  service_started: system('info', 'start'),
  service_stopped: system('info', 'stop'),
  service_error: system('low', 'serve'),
} as const satisfies Record<string, Kind>

export type SshdEventType = keyof typeof sshdKinds

function authentication(severity: Severity, action: string, result: EventResult): Kind {
  return { category: 'authentication', severity, action, result, ocsfClass: AUTHENTICATION }
}

function privilege(severity: Severity, action: string, result: EventResult): Kind {
  return { category: 'authorization', severity, action, result, ocsfClass: AUTHORIZE_SESSION }
}

function network(severity: Severity, action: string, result: EventResult | null): Kind {
  return { category: 'network', severity, action, result, ocsfClass: SSH_ACTIVITY }
}

function system(severity: Severity, action: string): Kind {
  return { category: 'system', severity, action, result: null, ocsfClass: APPLICATION_LIFECYCLE }
}
