/** What the policies of the stores answer, evaluated as IAM does: whom they deny what, and that they let the writers write. */
import { describe, expect, test } from 'vitest'
import { prod } from '../parameter.ts'
import { readable } from './support/readable.ts'
import { synthesize } from './support/synthesize.ts'
import { type Json, pathOf, type Template } from './support/template.ts'

type Request = Readonly<Record<string, string>>

const { Archive, Witness } = synthesize(prod) as Record<'Archive' | 'Witness', Template>
const stores = {
  archive: { template: Archive, path: 'Archive/Bucket/Policy', key: '<Data: Keys/Archive.Arn>' },
  witness: { template: Witness, path: 'Bucket/Policy', key: '<Key.Arn>' },
}

/** Whether a condition holds. A key that is absent makes a negated operator true, and every other one false. */
function holds(operator: string, key: string, values: readonly Json[], request: Request): boolean {
  const value = request[key]
  switch (operator) {
    case 'Null':
      return String(value === undefined) === values[0]
    case 'StringNotEquals':
    case 'ArnNotEquals':
      return value === undefined || !values.includes(value)
    case 'Bool':
      return value !== undefined && values.includes(value)
    case 'NumericLessThan':
      return value !== undefined && Number(value) < values[0]
    default:
      throw new Error(`${operator} is not evaluated here`)
  }
}

/** Sids of the statements that deny a call. */
function denied(store: keyof typeof stores, action: string, request: Request): string[] {
  const { template, path } = stores[store]
  const [policy] = template.ofType('AWS::S3::BucketPolicy').filter((one) => pathOf(one) === path)
  const { Statement } = readable(template, prod, policy?.Properties['PolicyDocument'])
  return Statement.filter(({ Effect }: Json) => Effect === 'Deny')
    .filter(({ Action }: Json) => [Action].flat().some((one) => one === action || one === 's3:*'))
    .filter(({ Condition = {} }: Json) =>
      Object.entries<Json>(Condition).every(([operator, keys]) =>
        Object.entries(keys).every(([key, values]) => holds(operator, key, [values].flat(), request)),
      ),
    )
    .map(({ Sid }: Json) => Sid ?? 'TLS')
}

const role = (name: string) => `arn:aws:iam::<account>:role/${name}`
const over = { 'aws:SecureTransport': 'true', 's3:TlsVersion': '1.3' }
const worker = { ...over, 'aws:PrincipalArn': role('<name>-work') }
const ALGORITHM = 's3:x-amz-server-side-encryption'
const KEY = 's3:x-amz-server-side-encryption-aws-kms-key-id'

describe.each(['archive', 'witness'] as const)('the policy of the %s', (store) => {
  const { key } = stores[store]

  test.each<[string, string, Request]>([
    ['a put that leaves the encryption to the bucket', 's3:PutObject', worker],
    ['a put under its key', 's3:PutObject', { ...worker, [ALGORITHM]: 'aws:kms', [KEY]: key }],
    ['a deletion, which hides a version', 's3:DeleteObject', worker],
    ['a read', 's3:GetObject', worker],
  ])('lets the worker do %s', (_, action, request) => {
    expect(denied(store, action, request)).toEqual([])
  })

  test.each<[string, string, Request, string]>([
    [
      'a put of somebody else',
      's3:PutObject',
      { ...worker, 'aws:PrincipalArn': role('admin') },
      'WritersOnly',
    ],
    ['a put of nobody', 's3:PutObject', over, 'WritersOnly'],
    ['a put without KMS', 's3:PutObject', { ...worker, [ALGORITHM]: 'AES256' }, 'NoOtherEncryption'],
    [
      'a put under another key',
      's3:PutObject',
      { ...worker, [ALGORITHM]: 'aws:kms', [KEY]: 'arn:other' },
      'NoOtherKey',
    ],
    ['a put in the clear', 's3:PutObject', { ...worker, 'aws:SecureTransport': 'false' }, 'TLS'],
    ['a read over TLS 1.1', 's3:GetObject', { ...worker, 's3:TlsVersion': '1.1' }, 'TLS'],
    [
      'a retention that is cut by an administrator',
      's3:PutObjectRetention',
      { ...worker, 'aws:PrincipalArn': role('admin') },
      'WritersOnly',
    ],
    ['a lock that is passed over', 's3:BypassGovernanceRetention', worker, 'NoUndoing'],
    ['a bucket without versions', 's3:PutBucketVersioning', worker, 'NoUndoingOfTheBucket'],
  ])('denies %s', (_, action, request, sid) => {
    expect(denied(store, action, request)).toEqual([sid])
  })
})
