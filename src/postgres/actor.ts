import { AkashiError } from '../foundation/index.ts'

/** Where a transaction comes from: kept in the trail beside who acts. */
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
 * Who a transaction runs for. The fields become signed `app.*` settings of the transaction, and from there the
 * columns of the audit row and the subject of row-level security. Made by {@link person}, {@link service},
 * {@link operator}, {@link system} and {@link anonymous} only: the private member makes the type nominal, so
 * that neither an object literal nor a copy of an actor is one.
 */
export class Actor {
  /** `akashi_auth.users.id` */
  readonly userId: string | undefined
  /** `akashi_auth.user_sessions.id`, or `akashi_auth.api_keys.id` where a key was shown in place of a session. */
  readonly sessionId: string | undefined
  /**
   * Who acts where no user does, as `kind:name`. Never the name of a user: the trail outlives their key, and
   * userId says who it was.
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

  /** The compiler checks callers in TypeScript; this checks the others. */
  static isActor(value: unknown): boolean {
    return typeof value === 'object' && value !== null && #made in value && value.#made
  }
}

export type Person = Actor & { readonly userId: string }
export type PersonInSession = Person & { readonly sessionId: string }

export function isPerson(actor: Actor): actor is Person {
  return actor.userId !== undefined
}

/** A user: signed in, known by a provider's token, or by a key of theirs. */
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

/** A service account, by the API key that it showed. */
export function service(
  { name, keyId }: { readonly name: string; readonly keyId: string },
  origin: Origin = {},
): Actor {
  return new Actor({ subject: `service:${name}`, sessionId: keyId }, origin)
}

/** Whoever typed a command, by their account of the operating system. */
export function operator({
  account,
  command,
}: {
  readonly account: string
  readonly command: string
}): Actor {
  return new Actor({ subject: `operator:${account}` }, { apiEndpoint: command })
}

/**
 * Akashi itself.
 * @param job the name of a job in `akashi_lifecycle.jobs`, of a loop, or of a step of the start
 */
export function system(job: string): Actor {
  return new Actor({ subject: `system:${required(job, 'job')}` }, {})
}

/** Nobody who is known yet. @param reason why not, in a few words; the trail keeps it */
export function anonymous(reason: string, origin: Origin = {}): Actor {
  return new Actor({ subject: `anonymous:${required(reason, 'reason')}` }, origin)
}

function required(value: string, what: string): string {
  if (value === '') throw new AkashiError('internal', `an actor without a ${what}`)
  return value
}
