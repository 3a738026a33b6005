import { randomInt } from 'node:crypto'

/** Without characters that are easily confused: 0 O, 1 I l. */
const ALPHABET = 'ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789'
const GROUPS = 4
/** Four groups of five of 57 characters are 116 bits. */
const GROUP_CHARACTERS = 5

/** A one-time password, easy to read aloud or copy: `tGh4K-…`. */
export function generatePassword(): string {
  const group = () =>
    Array.from({ length: GROUP_CHARACTERS }, () => ALPHABET[randomInt(ALPHABET.length)]).join('')
  return Array.from({ length: GROUPS }, group).join('-')
}
