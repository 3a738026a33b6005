import { describe, expect, it } from 'vitest'
import {
  newRecoveryCodes,
  newTotpSecret,
  recoveryCodeDigest,
  totpCode,
  totpStep,
} from '../../src/identity/mfa/index.ts'

/** RFC 6238 appendix B, the key of SHA-1 in base 32; the codes are its last six digits. */
const RFC_SECRET = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'
const first = { lastStep: -1, skewSteps: 1 }
const at = (seconds: number) => new Date(seconds * 1_000)

describe('TOTP', () => {
  it.each([
    [59, '287082'],
    [1_111_111_109, '081804'],
    [1_234_567_890, '005924'],
    [20_000_000_000, '353130'],
  ])('answers the codes of RFC 6238 at %i', (seconds, code) => {
    expect(totpCode(RFC_SECRET, at(seconds))).toBe(code)
    expect(totpStep(RFC_SECRET, code, at(seconds), first)).toBe(Math.floor(seconds / 30))
  })

  it('takes a code one step early and one step late, and no further', () => {
    const now = 1_800_000_015
    const step = Math.floor(now / 30)
    const code = totpCode(RFC_SECRET, at(now))
    expect([-60, -30, 0, 30, 60].map((shift) => totpStep(RFC_SECRET, code, at(now + shift), first))).toEqual([
      null,
      step,
      step,
      step,
      null,
    ])
  })

  it('takes each step once, and none before the last', () => {
    const now = at(1_800_000_015)
    const step = totpStep(RFC_SECRET, totpCode(RFC_SECRET, now), now, first)
    expect(
      totpStep(RFC_SECRET, totpCode(RFC_SECRET, now), now, { lastStep: step ?? 0, skewSteps: 1 }),
    ).toBeNull()
    const before = totpCode(RFC_SECRET, at(1_799_999_985))
    expect(totpStep(RFC_SECRET, before, now, { lastStep: step ?? 0, skewSteps: 1 })).toBeNull()
  })

  it.each(['', '12345', '1234567', '12345a', '１２３４５６'])('takes %j for no code', (code) => {
    expect(totpStep(RFC_SECRET, code, at(59), first)).toBeNull()
  })

  it('makes secrets of 160 bits with a URI for the app', () => {
    const { base32, uri } = newTotpSecret({ issuer: 'Akashi', account: 'hanako' })
    expect(base32).toMatch(/^[A-Z2-7]{32}$/)
    const parsed = new URL(uri)
    expect(parsed.href).toMatch(/^otpauth:\/\/totp\/Akashi:hanako\?/)
    expect(Object.fromEntries(parsed.searchParams)).toEqual({
      issuer: 'Akashi',
      secret: base32,
      algorithm: 'SHA1',
      digits: '6',
      period: '30',
    })
  })
})

describe('recovery codes', () => {
  it('are ten different ones of 120 bits', () => {
    const codes = newRecoveryCodes(10)
    expect(new Set(codes).size).toBe(10)
    for (const code of codes) expect(code).toMatch(/^([0-9A-HJKMNP-TV-Z]{6}-){3}[0-9A-HJKMNP-TV-Z]{6}$/)
  })

  it('count as they are read', () => {
    const digest = recoveryCodeDigest('01ABCD-EFGHJK-MNPQRS-TVWXYZ')
    expect(digest).toHaveLength(32)
    expect(recoveryCodeDigest(' oIabcd efghjk mnpqrs tvwxyz')).toEqual(digest)
    expect(recoveryCodeDigest('01ABCD-EFGHJK-MNPQRS-TVWXY0')).not.toEqual(digest)
  })
})
