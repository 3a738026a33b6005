/** S1 3.1, users_email_check. */
export const emailPattern = /^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}$/

/** Two spellings that differ in case only are one address, since hardly any server tells them apart. */
export function normaliseEmail(email: string): string {
  return email.trim().toLowerCase()
}

/** `t***@example.com`: the first character and the domain. */
export function maskEmail(email: string): string {
  const at = email.lastIndexOf('@')
  return `${email.slice(0, Math.min(1, at))}***${email.slice(at)}`
}
