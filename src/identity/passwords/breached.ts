/**
 * Detects common and leaked passwords: by common words and patterns (common.ts), by a list of the most used passwords
 * (known.ts), and optionally by the corpus of Have I Been Pwned, to which the setting `breachedPasswords` points. The
 * corpus is in either format of its downloader: one file of `SHA1:COUNT` lines sorted by hash, or a folder of files
 * named by the first five digits of the hash (with or without `.txt`) with lines `REST:COUNT`. Nothing is sent anywhere.
 */
import { createHash } from 'node:crypto'
import { type FileHandle, open, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { AkashiError, errno } from '../../foundation/index.ts'
import { isCommonPassword } from './common.ts'
import { isKnownPassword } from './known.ts'

const PREFIX_DIGITS = 5
const SHA1_DIGITS = 40
/** Bytes per read of the binary search: more than one line, which has at most 40 + 1 + 10 + 2. */
const PROBE_BYTES = 256

export interface BreachedPasswords {
  has(password: string): Promise<boolean>
}

/** @param path of the corpus; without it, only the built-in lists are used */
export function openBreachedPasswords(path?: string): BreachedPasswords {
  return {
    has: async (password) =>
      isCommonPassword(password) ||
      (await isKnownPassword(password)) ||
      (path !== undefined && (await inCorpus(path, password))),
  }
}

async function inCorpus(path: string, password: string): Promise<boolean> {
  const digest = createHash('sha1').update(password, 'utf8').digest('hex').toUpperCase()
  try {
    return (await stat(path)).isDirectory() ? await inFolder(path, digest) : await inFile(path, digest)
  } catch (cause) {
    // Fails closed: a configured check must not be skipped.
    throw new AkashiError('unavailable', 'the list of breached passwords cannot be read', {
      hint: 'check the setting breachedPasswords',
      cause,
    })
  }
}

async function inFolder(folder: string, digest: string): Promise<boolean> {
  const prefix = digest.slice(0, PREFIX_DIGITS)
  const rest = digest.slice(PREFIX_DIGITS)
  const text = await readFile(join(folder, prefix), 'utf8').catch((error: unknown) => {
    if (errno(error) !== 'ENOENT') throw error
    return readFile(join(folder, `${prefix}.txt`), 'utf8')
  })
  return text.split('\n').some((line) => line.slice(0, rest.length).toUpperCase() === rest)
}

/** Binary search by bytes: reads from the middle and compares the next complete line. */
async function inFile(path: string, digest: string): Promise<boolean> {
  const file = await open(path, 'r')
  try {
    let low = 0
    let high = (await file.stat()).size
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      const line = await lineFrom(file, middle)
      if (line === undefined || line.digest > digest) {
        high = middle
      } else if (line.digest === digest) {
        return true
      } else {
        low = line.end
      }
    }
    return false
  } finally {
    await file.close()
  }
}

/** The first line that begins at or after `offset`, and the offset after it. */
async function lineFrom(
  file: FileHandle,
  offset: number,
): Promise<{ readonly digest: string; readonly end: number } | undefined> {
  const from = Math.max(0, offset - 1)
  const { buffer, bytesRead } = await file.read(Buffer.alloc(PROBE_BYTES), 0, PROBE_BYTES, from)
  const text = buffer.toString('latin1', 0, bytesRead)
  const start = offset === 0 ? 0 : text.indexOf('\n') + 1
  if (offset > 0 && start === 0) return undefined
  const digest = text.slice(start, start + SHA1_DIGITS).toUpperCase()
  if (digest.length < SHA1_DIGITS) return undefined
  const newline = text.indexOf('\n', start)
  return { digest, end: newline === -1 ? from + bytesRead : from + newline + 1 }
}
