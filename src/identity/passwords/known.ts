/** Whether a password is one of those that people use most, or such a one with digits and signs around it. */
import { readFile } from 'node:fs/promises'
import { unleet } from './common.ts'

const list = new URL('common-passwords.txt', import.meta.url)

/** Read when the first password is set: some 3 MB of memory that most processes never need. */
let known: Promise<ReadonlySet<string>> | undefined

export async function isKnownPassword(password: string): Promise<boolean> {
  known ??= read().catch((error: unknown) => {
    known = undefined
    throw error
  })
  const passwords = await known
  const plain = password.normalize('NFKC').toLowerCase()
  return [plain, core(plain), core(unleet(core(plain)))].some((form) => passwords.has(form))
}

/** Without what stands before the first letter and after the last. */
function core(text: string): string {
  return text.replaceAll(/^\P{L}+|\P{L}+$/gu, '')
}

async function read(): Promise<ReadonlySet<string>> {
  const lines = (await readFile(list, 'utf8')).split('\n')
  return new Set(lines.filter((line) => !/^(# .*|#)?$/.test(line)))
}
