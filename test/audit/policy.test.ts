import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { parsePolicy, type Quorum, quorumMet } from '../../src/audit/index.ts'
import { COSIGNATURE_TYPE, formatVerifierKey, ML_DSA_COSIGNATURE_TYPE } from '../../src/keys/index.ts'

function rawKey(): Uint8Array {
  const { x } = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' })
  return Buffer.from(x ?? '', 'base64url')
}
const logKey = (name: string, publicKey = rawKey()) => formatVerifierKey({ name, publicKey })
const witnessKey = (name: string, publicKey = rawKey()) =>
  formatVerifierKey({ name, publicKey }, COSIGNATURE_TYPE)
const parse = (...lines: string[]) => parsePolicy(Buffer.from(`${lines.join('\n')}\n`))
const refused = (why: string) =>
  expect.objectContaining({ code: 'invalid_input', message: expect.stringContaining(why) as unknown })

const keys = ['X1', 'X2', 'X3', 'Y1', 'Y2', 'Y3'].map(
  (name) => `witness ${name} ${witnessKey(`w.example/${name}`)}`,
)

/** Whether the witnesses of these names suffice. */
const met = (quorum: Quorum, ...names: string[]) => quorumMet(quorum, ({ name }) => names.includes(name))

describe('a policy', () => {
  it('is read as in the specification, with two levels of groups', () => {
    const { logs, witnesses, quorum } = parse(
      '# comment',
      `\tlog  ${logKey('log.example/one')}  https://log.example/ `,
      '',
      ...keys,
      '  # another',
      'group X-witnesses 2 X1 X2 X3',
      'group Y-witnesses any Y1 Y2 Y3',
      'group X-and-Y all X-witnesses Y-witnesses',
      'quorum X-and-Y',
    )
    expect(logs.map(({ name }) => name)).toEqual(['log.example/one'])
    expect(witnesses.map(({ name, url }) => [name, url])).toHaveLength(6)
    expect(met(quorum, 'X1', 'X3', 'Y2')).toBe(true)
    expect(met(quorum, 'X1', 'X2', 'X3')).toBe(false)
    expect(met(quorum, 'X1', 'Y1', 'Y2', 'Y3')).toBe(false)
    expect(met(quorum)).toBe(false)
  })

  it('may require one witness or none, and name them in any script', () => {
    const witness = `witness 証人 ${witnessKey('w.example/証人')} https://w.example/akashi`
    const policy = parse(witness, 'quorum 証人')
    expect(policy.witnesses).toMatchObject([
      { name: '証人', key: { name: 'w.example/証人' }, url: 'https://w.example/akashi' },
    ])
    expect(met(policy.quorum, '証人')).toBe(true)
    expect(met(policy.quorum)).toBe(false)
    expect(met(parse(witness, 'quorum none').quorum)).toBe(true)
    const postQuantum = formatVerifierKey(
      { name: 'w.example/pq', publicKey: randomBytes(1312) },
      ML_DSA_COSIGNATURE_TYPE,
    )
    expect(parse(`witness pq ${postQuantum}`, 'quorum pq').witnesses[0]?.key.publicKey).toHaveLength(1312)
  })

  it('may pin the logs of one installation, which have one key, in all their epochs', () => {
    const key = rawKey()
    expect(
      parse(
        `log ${logKey('a.example/1/audit_logs', key)}`,
        `log ${logKey('a.example/1/events', key)}`,
        'quorum none',
      ).logs,
    ).toHaveLength(2)
  })

  const twice = rawKey()
  it.each<[string, string[], string]>([
    ['no quorum', keys, 'no quorum line'],
    ['two quorums', ['quorum none', 'quorum none'], 'line 2: a quorum is already defined'],
    [
      'a group before its members',
      ['group g any X1', ...keys, 'quorum g'],
      'line 1: no witness or group “X1”',
    ],
    ['a quorum that is not defined', ['quorum X1', ...keys], 'line 1'],
    [
      'a member of two groups',
      [...keys, 'group a any X1', 'group b any X1 X2', 'quorum a'],
      '“X1” is already a member',
    ],
    ['a member twice', [...keys, 'group a 2 X1 X1', 'quorum a'], '“X1” is already a member'],
    ['a threshold of zero', [...keys, 'group a 0 X1', 'quorum a'], '“0” is not a valid number'],
    ['a threshold above the members', [...keys, 'group a 2 X1', 'quorum a'], '“2” is not a valid number'],
    ['a threshold in words', [...keys, 'group a most X1', 'quorum a'], '“most” is not a valid number'],
    ['a group without members', [...keys, 'group a any', 'quorum none'], 'a group line has a name'],
    [
      'a name twice',
      [...keys, `witness X1 ${witnessKey('w.example/new')}`, 'quorum X1'],
      '“X1” is already defined',
    ],
    [
      'none as a name',
      [`witness none ${witnessKey('w.example/none')}`, 'quorum none'],
      'none cannot be the name of a witness or group',
    ],
    ['none as a member', [...keys, 'group a any none', 'quorum a'], 'no witness or group “none”'],
    [
      'a key twice under two names',
      [
        `witness a ${witnessKey('w.example/a', twice)}`,
        `witness b ${witnessKey('w.example/b', twice)}`,
        'quorum a',
      ],
      'line 2: the key of this witness is given twice',
    ],
    [
      'a log twice',
      [`log ${logKey('l', twice)}`, `log ${logKey('l', twice)}`, 'quorum none'],
      'line 2: this key',
    ],
    ['the key of a witness for a log', [`log ${witnessKey('l')}`, 'quorum none'], 'line 1'],
    ['the key of a log for a witness', [`witness a ${logKey('l')}`, 'quorum a'], 'line 1'],
    ['an address of another kind', [`witness a ${witnessKey('a')} file:///etc`, 'quorum a'], 'http'],
    ['words that mean nothing', ['trust me', 'quorum none'], '“trust” is not log, witness'],
    ['lines of Windows', ['quorum none\r'], 'carriage return'],
    ['a control character', ['# \u0007', 'quorum none'], 'control character'],
  ])('with %s is refused', (_, lines, why) => {
    expect(() => parse(...lines)).toThrow(refused(why))
  })
})
