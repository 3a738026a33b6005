import { readFileSync } from 'node:fs'
import { CfnWorkGroup } from 'aws-cdk-lib/aws-athena'
import { CfnDatabase, CfnTable } from 'aws-cdk-lib/aws-glue'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import type { IBucket } from 'aws-cdk-lib/aws-s3'
import { Stack } from 'aws-cdk-lib/core'
import { Construct } from 'constructs'
import type { ArchiveParameter } from '../parameter.ts'

const GIGABYTE = 1024 ** 3
/** What `akashi ddl glue` prints for each archived table, locations without the bucket. */
const TABLES = new URL('../archive/tables.json', import.meta.url)

interface Column {
  readonly Name: string
  readonly Type: string
}

interface Table {
  readonly Name: string
  readonly TableType: string
  readonly Parameters: Readonly<Record<string, string>>
  readonly PartitionKeys: readonly Column[]
  readonly StorageDescriptor: {
    readonly Columns: readonly Column[]
    readonly Location: string
    readonly InputFormat: string
    readonly OutputFormat: string
    readonly SerdeInfo: {
      readonly SerializationLibrary: string
      readonly Parameters: Readonly<Record<string, string>>
    }
  }
}

export interface ArchiveCatalogProps {
  readonly name: string
  readonly parameter: ArchiveParameter
  readonly region: string
  readonly archive: IBucket
  readonly results: IBucket
  readonly key: IKey
}

/** The archive as tables of SQL: partitions are computed from the names of folders, so no crawler runs. */
export class ArchiveCatalog extends Construct {
  constructor(scope: Construct, id: string, props: ArchiveCatalogProps) {
    super(scope, id)
    const { account } = Stack.of(this)
    const database = new CfnDatabase(this, 'Database', {
      catalogId: account,
      databaseInput: { name: props.parameter.database, description: `Archive of ${props.name}` },
    })
    for (const table of JSON.parse(readFileSync(TABLES, 'utf8')) as Table[]) {
      new CfnTable(this, table.Name, {
        catalogId: account,
        databaseName: props.parameter.database,
        tableInput: tableInput(table, props),
      }).addResourceDependency(database)
    }
    new CfnWorkGroup(this, 'WorkGroup', {
      name: props.name,
      description: `Queries of the archive of ${props.name}`,
      state: 'ENABLED',
      recursiveDeleteOption: false,
      workGroupConfiguration: {
        enforceWorkGroupConfiguration: true,
        publishCloudWatchMetricsEnabled: true,
        requesterPaysEnabled: false,
        bytesScannedCutoffPerQuery: props.parameter.scanLimitGigabytes * GIGABYTE,
        engineVersion: { selectedEngineVersion: 'Athena engine version 3' },
        resultConfiguration: {
          outputLocation: `s3://${props.results.bucketName}/`,
          expectedBucketOwner: account,
          encryptionConfiguration: { encryptionOption: 'SSE_KMS', kmsKey: props.key.keyArn },
        },
      },
    })
  }
}

function tableInput(table: Table, { archive, parameter, region }: ArchiveCatalogProps) {
  const { StorageDescriptor: storage, Parameters: parameters } = table
  const here = `s3://${archive.bucketName}/`
  const columns = (some: readonly Column[]) => some.map(({ Name: name, Type: type }) => ({ name, type }))
  return {
    name: table.Name,
    tableType: table.TableType,
    parameters: {
      ...parameters,
      'akashi.data_residency': region,
      'projection.year.range': parameter.years,
      'storage.location.template': here + parameters['storage.location.template'],
    },
    partitionKeys: columns(table.PartitionKeys),
    storageDescriptor: {
      columns: columns(storage.Columns),
      location: here + storage.Location,
      inputFormat: storage.InputFormat,
      outputFormat: storage.OutputFormat,
      serdeInfo: {
        serializationLibrary: storage.SerdeInfo.SerializationLibrary,
        parameters: storage.SerdeInfo.Parameters,
      },
    },
  }
}
