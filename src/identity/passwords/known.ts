/** Detects the most used passwords, also with digits and signs around them. */
import { readFile } from 'node:fs/promises'
import { unleet } from './common.ts'

const list = new URL('common-passwords.txt', import.meta.url)

/** Loaded when the first password is set, since most processes never need its 3 MB. */
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

/** The text from its first to its last letter. */
function core(text: string): string {
  return text.replaceAll(/^\P{L}+|\P{L}+$/gu, '')
}

async function read(): Promise<ReadonlySet<string>> {
  const lines = (await readFile(list, 'utf8')).split('\n')
  return new Set(lines.filter((line) => !/^(# .*|#)?$/.test(line)))
}
