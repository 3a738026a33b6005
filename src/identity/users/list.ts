import { type AccountStatus, DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, type User } from '@akashi/contract'
import { AkashiError } from '../../foundation/index.ts'
import type { PersonVault } from '../../keys/index.ts'
import type { Session } from '../../postgres/index.ts'
import { openRow, type UserRow, userColumns } from './personal.ts'

export interface UserFilter {
  readonly status?: AccountStatus | undefined
  readonly issuer?: string | undefined
  readonly tenantId?: string | undefined
  /** Prefix of the username. Personal columns are encrypted and can only be searched by exact value. */
  readonly usernamePrefix?: string | undefined
  readonly limit?: number | undefined
  /** `next` of the previous page. */
  readonly cursor?: string | undefined
}

export interface UserPage {
  readonly users: readonly User[]
  /** null when this is the last page. */
  readonly next: string | null
}

/** Users ordered by username. */
export async function listUsers(
  session: Session,
  vault: PersonVault,
  filter: UserFilter = {},
): Promise<UserPage> {
  const limit = filter.limit ?? DEFAULT_PAGE_SIZE
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_PAGE_SIZE) {
    throw new AkashiError('invalid_input', `a page has 1 to ${MAX_PAGE_SIZE} users`)
  }
  const after = filter.cursor === undefined ? null : Buffer.from(filter.cursor, 'base64url').toString('utf8')
  const { rows } = await session.query<UserRow>(
    `select ${userColumns} from akashi_auth.users
     where ($1::text is null or username > $1) and ($2::text is null or account_status = $2)
       and ($3::text is null or issuer = $3) and ($4::text is null or tenant_id = $4)
       and ($5::text is null or starts_with(akashi_auth.username_key(username), akashi_auth.username_key($5)))
     order by username limit $6`,
    [
      after,
      filter.status ?? null,
      filter.issuer ?? null,
      filter.tenantId ?? null,
      filter.usernamePrefix ?? null,
      limit + 1,
    ],
  )
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  return {
    users: await Promise.all(page.map((row) => openRow(vault, row))),
    next: rows.length > limit && last !== undefined ? Buffer.from(last.username).toString('base64url') : null,
  }
}
