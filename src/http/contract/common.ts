import { z } from 'zod'

/** RFC 3339 in UTC. */
export const time = z.string().describe('RFC 3339 in UTC')

export const name = z.string().min(1).max(255)
/** Characters beyond which nothing that is typed can be meant. */
export const password = z.string().min(1).max(1_024)
export const totp = z.string().regex(/^\d{6}$/, 'six digits')
export const recoveryCode = z.string().min(1).max(64)
