import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  formatNote,
  formatVerifierKey,
  openKeyring,
  parseNote,
  parseVerifierKey,
  signNote,
  signText,
  type VerifierKey,
  verifyNote,
} from '../../src/keys/index.ts'

// The vectors of Go's golang.org/x/mod/sumdb/note, whose format the specification took over.
const PETER = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW'
const PETER_SIGNER = 'PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz'
const TEXT =
  "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
const SIGNATURE =
  'x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM='
const NOTE = `${TEXT}\n— PeterNeumann ${SIGNATURE}\n`
const peter = parseVerifierKey(PETER)
const integrity = expect.objectContaining({ code: 'integrity' })
const invalid = expect.objectContaining({ code: 'invalid_input' })

function signer(key: KeyObject) {
  const x = createPublicKey(key).export({ format: 'jwk' }).x ?? ''
  return {
    publicKey: async () => new Uint8Array(Buffer.from(x, 'base64url')),
    sign: async (_: string, message: Uint8Array) => new Uint8Array(sign(null, message, key)),
  }
}

async function newSigner(name: string): Promise<{ keyring: ReturnType<typeof signer>; key: VerifierKey }> {
  const keyring = signer(generateKeyPairSync('ed25519').privateKey)
  return { keyring, key: { name, publicKey: await keyring.publicKey() } }
}

describe('verifier keys', () => {
  test('the known key is read and written back', () => {
    expect(peter.name).toBe('PeterNeumann')
    expect(formatVerifierKey(peter)).toBe(PETER)
  })

  test('no part of it, and no change of one byte, is a key', () => {
    for (let start = 0; start <= PETER.length; start++) {
      for (let end = start + 1; end <= PETER.length; end++) {
        if (end - start === PETER.length) continue
        expect(() => parseVerifierKey(PETER.slice(start, end))).toThrow(invalid)
      }
    }
    for (let at = 0; at < PETER.length; at++) {
      const next = String.fromCharCode(PETER.charCodeAt(at) + 1)
      expect(() => parseVerifierKey(PETER.slice(0, at) + next + PETER.slice(at + 1))).toThrow(invalid)
    }
  })

  test('a key of another length or algorithm is refused though its hash is right', () => {
    for (const key of [
      'PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==',
      'PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW',
      `${PETER}\n`,
    ]) {
      expect(() => parseVerifierKey(key)).toThrow(invalid)
    }
    for (const name of ['', 'a b', 'a+b', 'a\u00a0b', 'a\u0085b', 'a\nb', '\ud800']) {
      expect(() => formatVerifierKey({ name, publicKey: peter.publicKey })).toThrow(invalid)
    }
  })

  test('every key and name round-trips', () => {
    const name = fc
      .string({ minLength: 1, unit: 'grapheme' })
      .filter((text) => !/[\p{White_Space}+\p{Cc}]/u.test(text))
    fc.assert(
      fc.property(name, fc.uint8Array({ minLength: 32, maxLength: 32 }), (name, publicKey) => {
        const parsed = parseVerifierKey(formatVerifierKey({ name, publicKey }))
        expect(parsed.name).toBe(name)
        expect(Buffer.from(parsed.publicKey).equals(publicKey)).toBe(true)
      }),
    )
  })
})

describe('the known note', () => {
  test('is verified', () => {
    expect(verifyNote(NOTE, [peter])).toEqual({ text: TEXT, signers: [peter] })
    expect(verifyNote(Buffer.from(NOTE), [peter]).text).toBe(TEXT)
  })

  test('is made again, byte by byte, by its signer', async () => {
    const pkcs8 = Buffer.concat([
      Buffer.from('302e020100300506032b657004220420', 'hex'),
      Buffer.from(PETER_SIGNER.slice(-44), 'base64').subarray(1),
    ])
    const keyring = signer(createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }))
    expect(await signNote(keyring, 'peter', 'PeterNeumann', TEXT)).toBe(NOTE)
  })

  test('fails when any bit of it is changed', () => {
    const bytes = Buffer.from(NOTE)
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(7), (at, bit) => {
        const changed = Buffer.from(bytes)
        changed.writeUInt8(changed.readUInt8(at) ^ (1 << bit), at)
        expect(() => verifyNote(changed, [peter])).toThrow()
      }),
      { numRuns: 2000 },
    )
  })

  test('fails when a byte is taken out or put in', () => {
    const bytes = Buffer.from(NOTE)
    for (let at = 0; at < bytes.length; at++) {
      const shorter = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)])
      expect(() => verifyNote(shorter, [peter])).toThrow()
      const longer = Buffer.concat([bytes.subarray(0, at), Buffer.from('\n'), bytes.subarray(at)])
      expect(() => verifyNote(longer, [peter])).toThrow()
    }
  })
})

describe('notes', () => {
  test('one signed by the keyring is verified with the key it publishes', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'akashi-note-'))
    const keyring = await openKeyring(`file:${folder}/keys`)
    const { id } = await keyring.ensure('checkpoint')
    const name = 'example.com/audit_logs'
    const key = parseVerifierKey(formatVerifierKey({ name, publicKey: await keyring.publicKey(id) }))
    const note = await signNote(keyring, id, name, 'example.com/audit_logs\n12\nroot\n')
    expect(verifyNote(note, [key]).text).toBe('example.com/audit_logs\n12\nroot\n')
    await keyring.close()
    await rm(folder, { recursive: true })
  })

  test('any text round-trips, and any change of it fails', async () => {
    const { keyring, key } = await newSigner('signer.example')
    const line = fc.string({ unit: 'grapheme' }).filter((text) => !/\p{Cc}/u.test(text))
    await fc.assert(
      fc.asyncProperty(fc.array(line), line, async (lines, other) => {
        const text = `${lines.join('\n')}\n`
        const note = await signNote(keyring, 'k', key.name, text)
        expect(verifyNote(note, [key]).text).toBe(text)
        expect(parseNote(note).text).toBe(text)
        const changed = `${other}\n`
        if (changed !== text) {
          const forged = formatNote({ text: changed, signatures: parseNote(note).signatures })
          expect(() => verifyNote(forged, [key])).toThrow(integrity)
        }
      }),
    )
  })

  test('of several signers tells which of the known ones signed, and ignores the unknown', async () => {
    const [one, two, three] = await Promise.all(
      ['one.example', 'two.example', 'three.example'].map(newSigner),
    )
    if (one === undefined || two === undefined || three === undefined) throw new Error('no signers')
    const impostor = await newSigner(one.key.name)
    const signatures = await Promise.all(
      [one, impostor, two].map(({ keyring, key }) => signText(keyring, 'k', key.name, TEXT)),
    )
    const note = formatNote({ text: TEXT, signatures })
    expect(verifyNote(note, [one.key, two.key, three.key]).signers).toEqual([one.key, two.key])
    expect(verifyNote(note, [two.key]).signers).toEqual([two.key])
    expect(() => verifyNote(note, [three.key])).toThrow(integrity)
    expect(() => verifyNote(note, [])).toThrow(integrity)
    const repeated = formatNote({ text: TEXT, signatures: [...signatures, ...signatures] })
    expect(verifyNote(repeated, [one.key]).signers).toEqual([one.key])
    expect(() => verifyNote(note, [one.key, { ...one.key }])).toThrow(invalid)
  })

  test('a wrong signature of a known key fails the note, whoever else signed it', async () => {
    const { keyring, key } = await newSigner('one.example')
    const good = await signText(keyring, 'k', key.name, TEXT)
    const [real] = parseNote(NOTE).signatures
    if (real === undefined) throw new Error('no signature')
    for (const signature of [
      new Uint8Array(64),
      real.signature.subarray(1),
      Buffer.concat([real.signature, Buffer.of(0)]),
    ]) {
      const note = formatNote({ text: TEXT, signatures: [good, { ...real, signature }] })
      expect(() => verifyNote(note, [key, peter])).toThrow(integrity)
      expect(verifyNote(note, [key]).signers).toEqual([key])
    }
  })

  test('what looks like a signature inside the text is text', async () => {
    const { keyring, key } = await newSigner('one.example')
    const text = `${NOTE}more\n`
    const note = await signNote(keyring, 'k', key.name, text)
    expect(verifyNote(note, [key]).text).toBe(text)
    expect(() => verifyNote(note, [peter])).toThrow(integrity)
  })

  test('accepts 100 signatures and refuses 101, and a note over a million bytes', () => {
    const [real] = parseNote(NOTE).signatures
    if (real === undefined) throw new Error('no signature')
    const many = formatNote({ text: TEXT, signatures: Array.from({ length: 100 }, () => real) })
    expect(verifyNote(many, [peter]).signers).toEqual([peter])
    expect(() => verifyNote(`${many}— PeterNeumann ${SIGNATURE}\n`, [peter])).toThrow(invalid)
    expect(() => formatNote({ text: `${'x'.repeat(1_000_000)}\n`, signatures: [real] })).toThrow(invalid)
    expect(() => parseNote(`${'x'.repeat(1_000_000)}\n${NOTE}`)).toThrow(invalid)
    expect(() => formatNote({ text: TEXT, signatures: [] })).toThrow(invalid)
    expect(() => formatNote({ text: 'no newline', signatures: [real] })).toThrow(invalid)
  })

  test.each([
    ['nothing', ''],
    ['text alone', TEXT],
    ['no signature line', `${TEXT}\n`],
    ['no blank line', `${TEXT}— PeterNeumann ${SIGNATURE}\n`],
    ['no last newline', NOTE.slice(0, -1)],
    ['another line among the signatures', `${NOTE}x\n`],
    ['a hyphen for the dash', NOTE.replace('—', '-')],
    ['no space after the dash', NOTE.replace('— ', '—')],
    ['no name', `${TEXT}\n—  ${SIGNATURE}\n`],
    ['no signature', `${TEXT}\n— PeterNeumann\n`],
    ['an empty signature', `${TEXT}\n— PeterNeumann \n`],
    ['a hash alone', `${TEXT}\n— PeterNeumann x08gow==\n`],
    ['a plus in the name', `${TEXT}\n— Peter+Neumann ${SIGNATURE}\n`],
    ['a wide space in the name', `${TEXT}\n— Peter\u3000Neumann ${SIGNATURE}\n`],
    ['a third field', `${TEXT}\n— PeterNeumann ${SIGNATURE} x\n`],
    ['base64 without padding', NOTE.replace('nAM=', 'nAM')],
    ['base64 with stray bits', NOTE.replace('nAM=', 'nAN=')],
    ['URL-safe base64', NOTE.replace('x08go/', 'x08go_')],
    ['a carriage return', NOTE.replace('\n', '\r\n')],
    ['a NUL', NOTE.replace('think', 'th\0nk')],
    ['a tab', NOTE.replace(' ', '\t')],
    ['a lone surrogate', NOTE.replace('think', 'th\ud800nk')],
    ['broken UTF-8', Buffer.concat([Buffer.of(0xff), Buffer.from(NOTE)])],
    ['an overlong encoding', Buffer.concat([Buffer.of(0xc0, 0x8a), Buffer.from(NOTE)])],
  ])('malformed: %s', (_, note) => {
    expect(() => verifyNote(note, [peter])).toThrow(invalid)
  })
})
