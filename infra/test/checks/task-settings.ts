/** Settings of tasks that depend on the environment. */
import { readFileSync } from 'node:fs'
import type { EnvironmentParameter } from '../../lib/parameter.ts'
import type { Json } from '../support/template.ts'

/** What test/start/infra-install.test.ts runs against PostgreSQL. */
export const SCRIPT = readFileSync(new URL('../../lib/task/run.ts', import.meta.url), 'utf8')
/** What test/metrics.test.ts runs. */
export const METRICS_SCRIPT = readFileSync(new URL('../../lib/task/metrics.ts', import.meta.url), 'utf8')

export function subnets({ network }: EnvironmentParameter, kind: 'Compute' | 'Data'): string[] {
  return network.availabilityZones.map((_, index) => `<Data: Network/Vpc/${kind}Subnet${index + 1}/Subnet>`)
}

function witnessBucket({ archive }: EnvironmentParameter): string {
  return `<name>-witness-${archive.witnessAccount}`
}

export function storeUrl({ archive }: EnvironmentParameter): string {
  return `s3://<name>-archive-<account>?region=<region>&objectLock=${archive.lock}`
}

/** The second store, where there is one. */
export function coldStore(parameter: EnvironmentParameter): Json[] {
  const { witnessAccount, lock } = parameter.archive
  if (witnessAccount === undefined) return []
  const Value = `s3://${witnessBucket(parameter)}?region=<region>&objectLock=${lock}`
  return [{ Name: 'COLD_STORE_URL', Value }]
}

export function isTraced({ service }: EnvironmentParameter): boolean {
  return service.tracing !== undefined
}

/** What a task with a collector may do. */
export function tracedBy(parameter: EnvironmentParameter): Json[] {
  return isTraced(parameter) ? [{ Action: 'xray:PutTraceSegments', Effect: 'Allow', Resource: '*' }] : []
}

/** Findings go to the product of the account's own, whatever else sends some. */
const FINDINGS: Json[] = [
  {
    Action: 'securityhub:BatchImportFindings',
    Effect: 'Allow',
    Resource: 'arn:aws:securityhub:<region>:<account>:product/<account>/default',
  },
  {
    Action: 'securityhub:BatchUpdateFindings',
    Effect: 'Allow',
    Resource: 'arn:aws:securityhub:<region>:<account>:hub/default',
  },
]

/** The keyring, the object store, and the witness bucket where there is one. */
export function workPolicy(parameter: EnvironmentParameter): Json {
  const { witnessAccount } = parameter.archive
  const archive = 'arn:aws:s3:::<name>-archive-<account>'
  const witness = `arn:aws:s3:::${witnessBucket(parameter)}`
  const writing = ['AbortMultipartUpload', 'DeleteObject', 'GetObject', 'PutObject', 'PutObjectRetention']
  const allow = (Action: Json, Resource: Json) => ({ Action, Effect: 'Allow', Resource })
  const keyUse = ['kms:Decrypt', 'kms:GenerateDataKey']
  const calls = writing.map((call) => `s3:${call}`)
  return {
    Path: '/',
    PolicyDocument: {
      Statement: [
        allow(keyUse, ['<Data: Keys/Archive.Arn>', '<Data: Keys/PersonKeyring.Arn>']),
        allow('s3:ListBucket', witnessAccount === undefined ? archive : [archive, witness]),
        allow([...calls, 's3:RestoreObject'], `${archive}/*`),
        ...(witnessAccount === undefined
          ? []
          : [
              allow(calls, `${witness}/*`),
              {
                Action: keyUse,
                Condition: { 'ForAnyValue:StringEquals': { 'kms:ResourceAliases': 'alias/<name>/witness' } },
                Effect: 'Allow',
                Resource: `arn:aws:kms:<region>:${witnessAccount}:key/*`,
              },
            ]),
        ...FINDINGS,
        ...tracedBy(parameter),
      ],
      Version: '2012-10-17',
    },
    Roles: ['<Roles/Work>'],
  }
}
