/** Addresses that differ only in case are treated as equal, as almost all mail servers do. */
export function normaliseEmail(email: string): string {
  return email.trim().toLowerCase()
}

/** `t***@example.com`: the first character and the domain. */
export function maskEmail(email: string): string {
  const at = email.lastIndexOf('@')
  return `${email.slice(0, Math.min(1, at))}***${email.slice(at)}`
}
