import { readFileSync } from 'node:fs'
import type { Json } from '../support/template.ts'
import type { Check } from './check.ts'
import { complete, type ExactCheck, exactly } from './exactly.ts'
import {
  accessLogs,
  CLOSED,
  encryptedUnder,
  keptFor,
  loggedTo,
  policyOf,
  TIERS,
  writersOnly,
} from './store.ts'
import { tagChecks } from './tags.ts'

const BUCKET = 'Archive/Bucket'
const RESULTS = 'Archive/Results'
const KEY = '<Data: Keys/Archive.Arn>'

/** What `akashi ddl glue` prints; test/lifecycle/infra-tables.test.ts compares it with the database. */
const tables: Json[] = JSON.parse(
  readFileSync(new URL('../../lib/archive/tables.json', import.meta.url), 'utf8'),
)

function tableCheck(table: Json): ExactCheck {
  return exactly(
    `archive: the table ${table.Name} is what akashi ddl prints, with computed partitions`,
    'AWS::Glue::Table',
    `Archive/Catalog/${table.Name}`,
    ({ archive }) => ({
      CatalogId: '<account>',
      DatabaseName: archive.database,
      TableInput: {
        ...table,
        Parameters: {
          ...table.Parameters,
          'akashi.data_residency': '<region>',
          'projection.year.range': archive.years,
          'storage.location.template': `s3://<${BUCKET}>/${table.Parameters['storage.location.template']}`,
        },
        StorageDescriptor: {
          ...table.StorageDescriptor,
          Location: `s3://<${BUCKET}>/${table.StorageDescriptor.Location}`,
        },
      },
    }),
  )
}

const exact: readonly ExactCheck[] = [
  ...accessLogs('archive', () => '<account>', { archive: BUCKET, results: RESULTS }),
  exactly(
    'archive: under the archive key, with Object Lock and versions; infrequent access after 180 days, deep archive after 365',
    'AWS::S3::Bucket',
    BUCKET,
    {
      ...encryptedUnder(KEY),
      BucketName: '<name>-archive-<account>',
      ...TIERS,
      ...loggedTo('archive'),
      ObjectLockEnabled: true,
      ...CLOSED,
    },
    { kept: true },
  ),
  exactly(
    'archive: written by the tasks alone, over TLS and under its key; nobody lifts the lock',
    'AWS::S3::BucketPolicy',
    `${BUCKET}/Policy`,
    policyOf(
      BUCKET,
      ...writersOnly(
        '<name>-archive-<account>',
        KEY,
        ['serve', 'work'].map((task) => `arn:aws:iam::<account>:role/<name>-${task}`),
      ),
    ),
  ),
  exactly(
    'archive: results of queries are encrypted and gone after a week',
    'AWS::S3::Bucket',
    RESULTS,
    { ...encryptedUnder(KEY), ...keptFor(7), ...loggedTo('results'), ...CLOSED },
    { kept: true },
  ),
  exactly(
    'archive: results of queries are read and written over TLS',
    'AWS::S3::BucketPolicy',
    `${RESULTS}/Policy`,
    policyOf(RESULTS),
  ),
  exactly(
    'archive: the database idp_archive, of another name where it is not that of production',
    'AWS::Glue::Database',
    'Archive/Catalog/Database',
    ({ environment }) => ({
      CatalogId: '<account>',
      DatabaseInput: {
        Name: environment === 'prod' ? 'idp_archive' : `idp_archive_${environment}`,
        Description: 'Archive of <name>',
      },
    }),
  ),
  ...tables.map(tableCheck),
  exactly(
    'archive: a query reads no more than the limit and leaves its result encrypted in our bucket',
    'AWS::Athena::WorkGroup',
    'Archive/Catalog/WorkGroup',
    ({ archive }) => ({
      Name: '<name>',
      RecursiveDeleteOption: false,
      State: 'ENABLED',
      WorkGroupConfiguration: {
        BytesScannedCutoffPerQuery: archive.scanLimitGigabytes * 1024 ** 3,
        EnforceWorkGroupConfiguration: true,
        EngineVersion: { SelectedEngineVersion: 'Athena engine version 3' },
        PublishCloudWatchMetricsEnabled: true,
        RequesterPaysEnabled: false,
        ResultConfiguration: {
          EncryptionConfiguration: { EncryptionOption: 'SSE_KMS', KmsKey: KEY },
          ExpectedBucketOwner: '<account>',
          OutputLocation: `s3://<${RESULTS}>/`,
        },
      },
    }),
  ),
]

export const archiveChecks: readonly Check[] = [...exact, complete(exact), ...tagChecks]
