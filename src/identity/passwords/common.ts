/** Detects passwords made of common words and patterns, also with digits around them. */
import { commonWords } from './common-words.ts'

/** Fewer remaining letters than this do not make a common password acceptable, such as `Aa1!` around a word. */
const SHORT_REST = 3

/** Characters that people substitute for letters. */
const leet: Readonly<Record<string, string>> = {
  '0': 'o',
  '1': 'i',
  '3': 'e',
  '4': 'a',
  '5': 's',
  '7': 't',
  '@': 'a',
  $: 's',
  '!': 'i',
  '€': 'e',
}

/** Keyboard rows, the alphabet and the digits; four or more consecutive characters of one are a run. */
const rows = [
  'qwertyuiop',
  'asdfghjkl',
  'zxcvbnm',
  'qwertzuiop',
  'yxcvbnm',
  'azertyuiop',
  'qsdfghjklm',
  'wxcvbn',
  '1234567890',
  '0123456789',
  '1qaz2wsx3edc4rfv5tgb6yhn7ujm',
  'qazwsxedcrfvtgbyhnujm',
  '1q2w3e4r5t6y7u8i9o0p',
  'abcdefghijklmnopqrstuvwxyz',
].flatMap((row) => [row, [...row].reverse().join('')])

const MIN_RUN = 4
/** Longest first, so that `passwort` is not left as `t`. */
const words = [...commonWords].sort((a, b) => b.length - a.length)

export function isCommonPassword(password: string): boolean {
  const plain = password.normalize('NFKC').toLowerCase()
  return [plain, unleet(plain)].some((form) => isRepetition(form) || leavesNothing(form))
}

/** Replaces digits and symbols with the letters that they resemble. */
export function unleet(text: string): string {
  return [...text].map((character) => leet[character] ?? character).join('')
}

/** Whether at most four characters are repeated: `aaaaaaaa`, `abcabcabc`. */
function isRepetition(text: string): boolean {
  return /^(.{1,4}?)\1{2,}.{0,3}$/su.test(text)
}

/** Whether only digits and punctuation remain after removing common words and runs. */
function leavesNothing(text: string): boolean {
  let rest = withoutRuns(text)
  let found = rest !== text
  for (const word of words) {
    const next = rest.replaceAll(word, ' ')
    found ||= next !== rest
    rest = next
  }
  const letters = rest.replaceAll(/[\p{P}\p{S}\p{N}\s]/gu, '')
  return letters.length === 0 || (found && letters.length < SHORT_REST)
}

function withoutRuns(text: string): string {
  let rest = text
  for (let start = 0; start + MIN_RUN <= rest.length; ) {
    const length = runLength(rest, start)
    if (length >= MIN_RUN) {
      rest = `${rest.slice(0, start)} ${rest.slice(start + length)}`
    }
    start += 1
  }
  return rest
}

function runLength(text: string, start: number): number {
  let length = 0
  while (
    start + length < text.length &&
    rows.some((row) => row.includes(text.slice(start, start + length + 1)))
  ) {
    length += 1
  }
  return length
}
