import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'
import type { DirectSession } from '../types.ts'

const PASSWORD_BYTES = 32
const SALT_BYTES = 16
/** PostgreSQL's own number (scram_iterations). */
const ITERATIONS = 4_096
const DIGEST_BYTES = 32

/** A password of 256 random bits, safe in a URL. */
export function randomPassword(): string {
  return randomBytes(PASSWORD_BYTES).toString('base64url')
}

/**
 * What the server stores for a password (RFC 5803). It is computed here, so that the password is in no statement and
 * therefore in no log of the server.
 */
export function scramVerifier(password: string, salt: Buffer = randomBytes(SALT_BYTES)): string {
  const salted = pbkdf2Sync(password, salt, ITERATIONS, DIGEST_BYTES, 'sha256')
  const hmac = (text: string) => createHmac('sha256', salted).update(text).digest()
  const stored = createHash('sha256').update(hmac('Client Key')).digest('base64')
  return `SCRAM-SHA-256$${ITERATIONS}:${salt.toString('base64')}$${stored}:${hmac('Server Key').toString('base64')}`
}

/** Gives an existing login a new password. */
export async function setLoginPassword(
  session: DirectSession,
  login: string,
  password: string,
): Promise<void> {
  // ALTER ROLE takes no parameters: the server quotes the text.
  const { rows } = await session.query<{ statement: string }>(
    `select format('alter role %I login password %L', $1::text, $2::text) as statement`,
    [login, scramVerifier(password)],
  )
  await session.query(rows[0]?.statement ?? '')
}
