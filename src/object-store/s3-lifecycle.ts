/**
 * The rules of an S3 bucket that move archived objects to cheaper tiers by the age of their events: Standard,
 * infrequent access from 180 days, deep archive from 365. They delete nothing: Akashi deletes data past its
 * retention, with a signed record and never under a legal hold.
 *
 * Rules that count days begin when an object is put. A partition is exported when it closes, so that is the
 * age of its events. Months that were exported late get rules of their own, with dates.
 */
import { AkashiError } from '../foundation/index.ts'
import type { ObjectStore } from './types.ts'

const INFREQUENT_ACCESS_DAYS = 180
const DEEP_ARCHIVE_DAYS = 365
/** Transitions of smaller objects, such as manifests, cost more than they save. */
const MIN_MOVED_BYTES = 128 * 1024
/** Longer than any put takes. */
const UNFINISHED_UPLOAD_DAYS = 2
/** A month is late if one of its objects was put this many days after its end. */
const LATE_DAYS = 31
/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html */
const MAX_RULES = 1_000
const DAY_MS = 24 * 60 * 60 * 1000
const ARCHIVE = 'archive/'
/** Weekly copies of the audit log kept for years; the near tier holds recent ones. */
const COLD_COPIES = 'audit-copies/cold/'
const COLD_COPY_DAYS = 1
const MONTH = /^(archive\/.+\/year=(\d{4})\/month=(\d{2})\/)/

/** A month of a table as a folder of keys, `archive/akashi_security/security_events/year=2016/month=12/`. */
export interface MonthFolder {
  readonly folder: string
  /** When the month ends, UTC. */
  readonly end: Date
}

type Transition =
  | { readonly Days: number; readonly StorageClass: string }
  | { readonly Date: string; readonly StorageClass: string }

interface Rule {
  readonly ID: string
  readonly Status: 'Enabled'
  readonly Filter:
    | { readonly Prefix: string }
    | { readonly And: { readonly Prefix: string; readonly ObjectSizeGreaterThan: number } }
  readonly Transitions?: readonly Transition[]
  readonly AbortIncompleteMultipartUpload?: { readonly DaysAfterInitiation: number }
}

/** Input of `aws s3api put-bucket-lifecycle-configuration`. */
export interface S3Lifecycle {
  readonly Rules: readonly Rule[]
}

/**
 * @param prefix of the store's URL, `''` or ending with a slash
 * @param late months whose objects were put long after their events
 */
export function s3Lifecycle(prefix: string, late: readonly MonthFolder[]): S3Lifecycle {
  const rules: Rule[] = [
    {
      ID: 'akashi-unfinished-uploads',
      Status: 'Enabled',
      Filter: { Prefix: prefix },
      AbortIncompleteMultipartUpload: { DaysAfterInitiation: UNFINISHED_UPLOAD_DAYS },
    },
    {
      ID: 'akashi-archive',
      Status: 'Enabled',
      Filter: moved(prefix + ARCHIVE),
      Transitions: [
        { Days: INFREQUENT_ACCESS_DAYS, StorageClass: 'STANDARD_IA' },
        { Days: DEEP_ARCHIVE_DAYS, StorageClass: 'DEEP_ARCHIVE' },
      ],
    },
    ...late.map(({ folder, end }, index): Rule => {
      return {
        ID: `akashi-archive-late-${index + 1}`,
        Status: 'Enabled',
        Filter: moved(prefix + folder),
        Transitions: [
          { Date: daysAfter(end, INFREQUENT_ACCESS_DAYS), StorageClass: 'STANDARD_IA' },
          { Date: daysAfter(end, DEEP_ARCHIVE_DAYS), StorageClass: 'DEEP_ARCHIVE' },
        ],
      }
    }),
    {
      ID: 'akashi-audit-copies',
      Status: 'Enabled',
      Filter: moved(prefix + COLD_COPIES),
      Transitions: [{ Days: COLD_COPY_DAYS, StorageClass: 'GLACIER' }],
    },
  ]
  if (rules.length > MAX_RULES) {
    throw new AkashiError('too_large', `an S3 bucket allows at most ${MAX_RULES} rules`, {
      hint: 'leave the late months to the rule that counts days; they move up to a year later',
    })
  }
  return { Rules: rules }
}

/** The key prefix of an `s3:` URL. Any other store is `unsupported`. */
export function s3PrefixOf(url: string): string {
  const parsed = URL.parse(url)
  if (parsed?.protocol !== 's3:') {
    throw new AkashiError('unsupported', 'the object store is not an S3 bucket', {
      hint: 'set OBJECT_STORE_URL to s3://bucket/prefix',
    })
  }
  return parsed.pathname.replace(/^\//, '').replace(/([^/])$/, '$1/')
}

/** Months of the archive with an object put long after their end, oldest first. Requests the head of every object. */
export async function lateMonths(store: ObjectStore, signal: AbortSignal): Promise<MonthFolder[]> {
  const months = new Map<string, MonthFolder>()
  for await (const { key, lastModified } of store.list(ARCHIVE, { signal })) {
    const [, folder, year, month] = MONTH.exec(key) ?? []
    if (folder === undefined || months.has(folder)) continue
    const end = new Date(Date.UTC(Number(year), Number(month)))
    if (lastModified.getTime() > end.getTime() + LATE_DAYS * DAY_MS) months.set(folder, { folder, end })
  }
  return [...months.values()].sort((a, b) => a.end.getTime() - b.end.getTime())
}

function moved(Prefix: string): Rule['Filter'] {
  return { And: { Prefix, ObjectSizeGreaterThan: MIN_MOVED_BYTES } }
}

/** Midnight UTC, which S3 requires. */
function daysAfter(time: Date, days: number): string {
  return new Date(time.getTime() + days * DAY_MS).toISOString()
}
