/** Two spellings that differ in case only are one address, since hardly any server tells them apart. */
export function normaliseEmail(email: string): string {
  return email.trim().toLowerCase()
}

/** `t***@example.com`: the first character and the domain. */
export function maskEmail(email: string): string {
  const at = email.lastIndexOf('@')
  return `${email.slice(0, Math.min(1, at))}***${email.slice(at)}`
}
