import { anonymous } from '../../postgres/index.ts'
import { generatePassword } from '../passwords/index.ts'
import type { LoginParts } from './parts.ts'
import { setPassword } from './password-change.ts'
import { registerUser } from './register.ts'

const USERNAME = 'admin'
/** Nobody's address, until the administrator gives theirs. */
const EMAIL = 'admin@akashi.invalid'

export interface FirstAdministrator {
  readonly username: string
  /** Shown once; to be changed at the first sign-in. */
  readonly password: string
}

/** Makes the first administrator of a database that has none; null when there is one, whoever made them. */
export async function createFirstAdministrator(
  parts: Pick<LoginParts, 'accounts' | 'vault' | 'passwords'>,
): Promise<FirstAdministrator | null> {
  const { accounts, vault, passwords } = parts
  const present = await accounts.transaction(anonymous, async (session) => {
    const { rows } = await session.query<{ present: boolean }>('select auth.has_administrator() as present')
    return rows[0]?.present === true
  })
  if (present) return null
  const password = generatePassword()
  const hash = await passwords.hash(password)
  const made = await accounts.transaction(anonymous, async (session) => {
    const { rows: found } = await session.query<{ id: string }>(
      `select id from auth.users where issuer = 'local' and username = $1`,
      [USERNAME],
    )
    const id = found[0]?.id ?? (await registerUser(session, vault, { username: USERNAME, email: EMAIL }))
    const { rows } = await session.query<{ made: boolean }>(
      'select auth.make_first_administrator($1) as made',
      [id],
    )
    if (rows[0]?.made !== true) return false
    await setPassword(session, id, hash, true)
    return true
  })
  return made ? { username: USERNAME, password } : null
}
