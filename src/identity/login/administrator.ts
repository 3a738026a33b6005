import { randomBytes } from 'node:crypto'
import { AkashiError } from '../../foundation/index.ts'
import { type Session, system } from '../../postgres/index.ts'
import { generatePassword } from '../passwords/index.ts'
import { createUser } from '../users/index.ts'
import type { LoginParts } from './parts.ts'
import { setPassword } from './password-change.ts'

const USERNAME = 'admin'
const SUFFIX_BYTES = 3
const start = system('first-administrator')

export interface FirstAdministrator {
  readonly username: string
  /** Shown only once; must be changed at the first sign-in. */
  readonly password: string
}

/** Creates the first administrator; null when there is one already. */
export async function createFirstAdministrator(
  parts: Pick<LoginParts, 'worker' | 'vault' | 'passwords'>,
): Promise<FirstAdministrator | null> {
  const { worker, vault, passwords } = parts
  const present = await worker.transaction(start, async (session) => {
    const { rows } = await session.query<{ present: boolean }>(
      'select akashi_auth.has_administrator() as present',
    )
    return rows[0]?.present === true
  })
  if (present) return null
  const password = generatePassword()
  const hash = await passwords.hash(password)
  try {
    return await worker.transaction(start, async (session) => {
      const username = await freeName(session)
      const id = await createUser(session, vault, { username, email: `${username}@akashi.invalid` })
      const { rows } = await session.query<{ made: boolean }>(
        'select akashi_auth.make_first_administrator($1) as made',
        [id],
      )
      if (rows[0]?.made !== true) throw new AkashiError('already_exists', 'there is an administrator')
      await setPassword(session, id, hash, true)
      return { username, password }
    })
  } catch (error) {
    // Another server was faster and printed the password.
    if (error instanceof AkashiError && error.code === 'already_exists') return null
    throw error
  }
}

/** A free username, so that an existing user does not become the administrator. */
async function freeName(session: Session): Promise<string> {
  const { rows } = await session.query(
    'select from akashi_auth.users where akashi_auth.username_key(username) = akashi_auth.username_key($1)',
    [USERNAME],
  )
  return rows.length === 0 ? USERNAME : `${USERNAME}-${randomBytes(SUFFIX_BYTES).toString('hex')}`
}
