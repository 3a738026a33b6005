/**
 * Password hashes as PHC strings. New ones are argon2id with 19 MiB and two passes (ASVS 5.0 11.4.2, OWASP's first
 * choice); bcrypt hashes of older systems are verified, and replaced at the next login.
 */
import { hash, parseOptions, verify } from '@node-rs/argon2'
import { verify as verifyBcrypt } from '@node-rs/bcrypt'
import { AkashiError } from '../../foundation/index.ts'
import { type Gate, openGate } from './gate.ts'

const MEMORY_KIB = 19_456
const PASSES = 2
const LANES = 1
/** Argon2id; the package's constant for it exists only at compile time. */
const ARGON2ID = 2

/** Longer passwords are refused, because hashing them would only cost time. */
export const MAX_PASSWORD_CHARACTERS = 1_024

/** The hash of an unknown random password, used for users that do not exist. */
const DUMMY =
  '$argon2id$v=19$m=19456,t=2,p=1$G8CBOuxtv8D9CZpdu3QNhQ$t4wz2FXtwRvW5EWXFhdXwaoEDsGh65oyaHjjSMeU4uU'

const bcryptHash = /^\$2[abxy]\$/

export interface Verdict {
  readonly matches: boolean
  /** The stored hash is weaker than a new one would be. */
  readonly outdated: boolean
}

export interface Passwords {
  /** A PHC string for a new password. */
  hash(password: string, signal?: AbortSignal): Promise<string>
  /** Compares with a stored hash. Null, for a user that does not exist, takes the same work and never matches. */
  verify(stored: string | null, password: string, signal?: AbortSignal): Promise<Verdict>
  /** The same for callers who are signed in: they wait for those who sign in. */
  readonly yielding: Passwords
  /** Number of hashes computed so far. */
  readonly evaluated: number
}

export function openPasswords(gate: Gate = openGate()): Passwords {
  let evaluated = 0

  const create = (password: string) =>
    hash(password, {
      algorithm: ARGON2ID,
      memoryCost: MEMORY_KIB,
      timeCost: PASSES,
      parallelism: LANES,
    })

  async function matches(stored: string, password: string): Promise<boolean> {
    if (bcryptHash.test(stored)) return verifyBcrypt(password, stored)
    try {
      return await verify(stored, password)
    } catch (cause) {
      throw new AkashiError('internal', 'a stored password hash cannot be read', { cause })
    }
  }

  function through(turn: Gate['run']): Passwords {
    const compute = <T>(work: () => Promise<T>, signal: AbortSignal | undefined) =>
      turn(() => {
        evaluated += 1
        return work()
      }, signal)
    return {
      hash: async (password, signal) => {
        refuseOverlong(password)
        return compute(() => create(password), signal)
      },
      verify: async (stored, password, signal) => {
        if (password.length > MAX_PASSWORD_CHARACTERS) return { matches: false, outdated: false }
        const same = await compute(() => matches(stored ?? DUMMY, password), signal)
        return { matches: same && stored !== null, outdated: stored !== null && isOutdated(stored) }
      },
      get yielding() {
        return yielding
      },
      get evaluated() {
        return evaluated
      },
    }
  }

  const yielding = through(gate.yield)
  return through(gate.run)
}

function refuseOverlong(password: string): void {
  if (password.length > MAX_PASSWORD_CHARACTERS) {
    throw new AkashiError('invalid_input', `a password has at most ${MAX_PASSWORD_CHARACTERS} characters`)
  }
}

function isOutdated(stored: string): boolean {
  if (!stored.startsWith('$argon2id$')) return true
  const { memoryCost, timeCost } = parseOptions(stored)
  return memoryCost < MEMORY_KIB || timeCost < PASSES
}
