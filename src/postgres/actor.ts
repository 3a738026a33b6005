import { AkashiError } from '../foundation/index.ts'

/** Where a transaction comes from, recorded in the audit trail beside the actor. */
export interface Origin {
  readonly clientIp?: string | undefined
  readonly userAgent?: string | undefined
  readonly requestId?: string | undefined
  readonly traceId?: string | undefined
  readonly correlationId?: string | undefined
  /** Method and route of a request, or the command that an operator typed. */
  readonly apiEndpoint?: string | undefined
  readonly applicationVersion?: string | undefined
}

interface Identity {
  readonly userId?: string
  readonly sessionId?: string | undefined
  readonly subject?: string
  readonly tenantId?: string | undefined
}

/**
 * Whom a transaction runs for. The fields become signed `app.*` settings of the transaction, which fill the
 * columns of audit rows and which row-level security reads. Create one with {@link person}, {@link service},
 * {@link operator}, {@link linkHolder}, {@link system} or {@link anonymous}: the private member makes the type nominal, so an object
 * literal or a copy of an actor is not accepted.
 */
export class Actor {
  /** `akashi_auth.users.id` */
  readonly userId: string | undefined
  /** `akashi_auth.user_sessions.id`, or `akashi_auth.api_keys.id` when the caller used an API key. */
  readonly sessionId: string | undefined
  /**
   * Who acts when it is not a user, as `kind:name`. Never the name of a user: audit rows outlive the user's
   * encryption key, and userId identifies them.
   */
  readonly subject: string | undefined
  readonly tenantId: string | undefined
  readonly origin: Origin
  readonly #made = true

  constructor({ userId, sessionId, subject, tenantId }: Identity, origin: Origin) {
    this.userId = userId
    this.sessionId = sessionId
    this.subject = subject
    this.tenantId = tenantId
    this.origin = origin
  }

  /** For callers that the compiler does not check. */
  static isActor(value: unknown): boolean {
    return typeof value === 'object' && value !== null && #made in value && value.#made
  }
}

export type Person = Actor & { readonly userId: string }
export type PersonInSession = Person & { readonly sessionId: string }

export function isPerson(actor: Actor): actor is Person {
  return actor.userId !== undefined
}

/** A user, authenticated by a session, a provider's token or one of their API keys. */
export function person(
  who: { readonly userId: string; readonly sessionId: string; readonly tenantId?: string | undefined },
  origin?: Origin,
): PersonInSession
export function person(
  who: {
    readonly userId: string
    readonly sessionId?: string | undefined
    readonly tenantId?: string | undefined
  },
  origin?: Origin,
): Person
export function person(who: Identity, origin: Origin = {}): Actor {
  return new Actor(who, origin)
}

/** A service account, authenticated by an API key. */
export function service(
  { name, keyId }: { readonly name: string; readonly keyId: string },
  origin: Origin = {},
): Actor {
  return new Actor({ subject: `service:${name}`, sessionId: keyId }, origin)
}

/** The person who runs a command, identified by the operating system account. */
export function operator({
  account,
  command,
}: {
  readonly account: string
  readonly command: string
}): Actor {
  return new Actor({ subject: `operator:${account}` }, { apiEndpoint: command })
}

/** Whoever presented the token of an evidence link, without an account. @param link its id */
export function linkHolder(link: string, origin: Origin = {}): Actor {
  return new Actor({ subject: `evidence-link:${link}` }, origin)
}

/**
 * Akashi itself.
 * @param job the name of a job in `akashi_lifecycle.jobs`, of a background loop, or of a startup step
 */
export function system(job: string, origin: Pick<Origin, 'traceId'> = {}): Actor {
  return new Actor({ subject: `system:${required(job, 'job')}` }, origin)
}

/** A caller who is not authenticated. @param reason why not, in a few words; recorded in the audit trail */
export function anonymous(reason: string, origin: Origin = {}): Actor {
  return new Actor({ subject: `anonymous:${required(reason, 'reason')}` }, origin)
}

function required(value: string, what: string): string {
  if (value === '') throw new AkashiError('internal', `an actor without a ${what}`)
  return value
}
