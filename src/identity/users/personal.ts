/** Converts values to the encrypted columns of akashi_auth.users and back. */
import type { AccountStatus, Classification, User } from '@akashi/contract'
import type { PersonVault, Place } from '../../keys/index.ts'
import { maskEmail, normaliseEmail } from './email.ts'

const SUBJECT_PURPOSE = 'akashi_auth.users.subject'
const EMAIL_PURPOSE = 'akashi_auth.users.email'

const place = (column: 'subject' | 'email', id: string): Place => ({
  table: 'akashi_auth.users',
  column,
  row: id,
})

export async function sealSubject(vault: PersonVault, id: string, subject: string) {
  return {
    subject_encrypted: await vault.encrypt(id, place('subject', id), subject),
    subject_index: await subjectIndex(vault, subject),
  }
}

export async function sealEmail(vault: PersonVault, id: string, email: string) {
  return {
    email_encrypted: await vault.encrypt(id, place('email', id), email),
    email_index: await emailIndex(vault, email),
    email_masked: maskEmail(email),
  }
}

function subjectIndex(vault: PersonVault, subject: string): Promise<Uint8Array> {
  return vault.blindIndex(SUBJECT_PURPOSE, subject)
}

function emailIndex(vault: PersonVault, email: string): Promise<Uint8Array> {
  return vault.blindIndex(EMAIL_PURPOSE, normaliseEmail(email))
}

/** The possible blind indexes of a subject, see `PersonVault.blindIndexes`. */
export function subjectIndexes(vault: PersonVault, subject: string): Promise<readonly Uint8Array[]> {
  return vault.blindIndexes(SUBJECT_PURPOSE, subject)
}

/** The possible blind indexes of an e-mail address. */
export function emailIndexes(vault: PersonVault, email: string): Promise<readonly Uint8Array[]> {
  return vault.blindIndexes(EMAIL_PURPOSE, normaliseEmail(email))
}

/** Both index columns of a user under the current key. */
export async function indexesOf(vault: PersonVault, user: Pick<User, 'subject' | 'email'>) {
  return {
    subject_index: user.subject === null ? null : await subjectIndex(vault, user.subject),
    email_index: user.email === null ? null : await emailIndex(vault, user.email),
  }
}

export interface UserRow {
  readonly id: string
  readonly issuer: string
  readonly subject: string | null
  readonly subject_encrypted: Uint8Array | null
  readonly username: string
  readonly display_name: string | null
  readonly email: string | null
  readonly email_encrypted: Uint8Array | null
  readonly avatar_url: string | null
  readonly account_status: AccountStatus
  readonly security_classification: Classification
  readonly tenant_id: string | null
  readonly compliance_tags: Readonly<Record<string, unknown>>
  readonly last_login_at: string | null
  readonly created_at: string
  readonly updated_at: string
}

/** The columns that {@link openRow} needs. */
export const userColumns = `id, issuer, subject, subject_encrypted, username, display_name, email, email_encrypted, avatar_url,
  account_status, security_classification, tenant_id, compliance_tags, last_login_at, created_at, updated_at`

export async function openRow(vault: PersonVault, row: UserRow): Promise<User> {
  const open = async (column: 'subject' | 'email', plain: string | null, sealed: Uint8Array | null) =>
    sealed === null ? plain : await vault.decrypt(row.id, place(column, row.id), sealed)
  return {
    id: row.id,
    issuer: row.issuer,
    subject: await open('subject', row.subject, row.subject_encrypted),
    username: row.username,
    displayName: row.display_name,
    email: await open('email', row.email, row.email_encrypted),
    avatarUrl: row.avatar_url,
    status: row.account_status,
    classification: row.security_classification,
    tenantId: row.tenant_id,
    complianceTags: row.compliance_tags,
    lastLoginAt: row.last_login_at,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}
