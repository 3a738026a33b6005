import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { lateMonths, openObjectStore, s3Lifecycle, s3PrefixOf } from '../../src/object-store/index.ts'

test('moves the archive at 180 and 365 days, spares small objects, deletes nothing', () => {
  const { Rules } = s3Lifecycle('akashi/', [])
  expect(Rules[1]).toEqual({
    ID: 'akashi-archive',
    Status: 'Enabled',
    Filter: { And: { Prefix: 'akashi/archive/', ObjectSizeGreaterThan: 131_072 } },
    Transitions: [
      { Days: 180, StorageClass: 'STANDARD_IA' },
      { Days: 365, StorageClass: 'DEEP_ARCHIVE' },
    ],
  })
  expect(Rules[0]).toMatchObject({
    Filter: { Prefix: 'akashi/' },
    AbortIncompleteMultipartUpload: { DaysAfterInitiation: 2 },
  })
  expect(Rules[2]).toEqual({
    ID: 'akashi-audit-copies',
    Status: 'Enabled',
    Filter: { And: { Prefix: 'akashi/audit-copies/cold/', ObjectSizeGreaterThan: 131_072 } },
    Transitions: [{ Days: 1, StorageClass: 'GLACIER' }],
  })
  expect(JSON.stringify(Rules)).not.toContain('Expiration')
})

test('months that were exported late move by the age of their events', async () => {
  const root = await mkdtemp(join(tmpdir(), 'akashi-late-'))
  try {
    const store = await openObjectStore(`file:${root}`)
    const now = new Date()
    const current = `year=${now.getUTCFullYear()}/month=${String(now.getUTCMonth() + 1).padStart(2, '0')}`
    for (const key of [
      'archive/akashi_security/security_events/year=2016/month=12/day=10/p.1.x.00000.parquet',
      'archive/akashi_security/security_events/year=2016/month=12/day=11/p.1.x.00000.parquet',
      'archive/akashi_audit/audit_logs/year=2015/month=01/day=01/p.1.x.00000.parquet',
      `archive/akashi_security/security_events/${current}/day=01/p.1.x.00000.parquet`,
      'backup/year=2016/month=12/x',
    ]) {
      await store.put(key, Buffer.from('x'))
    }
    const late = await lateMonths(store, new AbortController().signal)
    expect(late).toEqual([
      {
        folder: 'archive/akashi_audit/audit_logs/year=2015/month=01/',
        end: new Date('2015-02-01T00:00:00Z'),
      },
      {
        folder: 'archive/akashi_security/security_events/year=2016/month=12/',
        end: new Date('2017-01-01T00:00:00Z'),
      },
    ])
    expect(s3Lifecycle('', late).Rules[3]).toEqual({
      ID: 'akashi-archive-late-2',
      Status: 'Enabled',
      Filter: {
        And: {
          Prefix: 'archive/akashi_security/security_events/year=2016/month=12/',
          ObjectSizeGreaterThan: 131_072,
        },
      },
      Transitions: [
        { Date: '2017-06-30T00:00:00.000Z', StorageClass: 'STANDARD_IA' },
        { Date: '2018-01-01T00:00:00.000Z', StorageClass: 'DEEP_ARCHIVE' },
      ],
    })
  } finally {
    await rm(root, { recursive: true, force: true })
  }
})

test('refuses more rules than a bucket takes', () => {
  const end = new Date()
  const months = Array.from({ length: 998 }, (_, n) => ({ folder: `archive/t/${n}/`, end }))
  expect(() => s3Lifecycle('', months)).toThrow('at most 1000 rules')
  expect(s3Lifecycle('', months.slice(1)).Rules.length).toBe(1_000)
})

test('takes the prefix of an s3: URL only', () => {
  expect(s3PrefixOf('s3://bucket')).toBe('')
  expect(s3PrefixOf('s3://bucket/')).toBe('')
  expect(s3PrefixOf('s3://bucket/a/b?region=x')).toBe('a/b/')
  expect(() => s3PrefixOf('file:/a')).toThrow('not an S3 bucket')
})
