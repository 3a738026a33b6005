/**
 * Findings for AWS Security Hub in its format (ASFF): `securityhub://REGION/ACCOUNT`. Credentials are those that the AWS
 * library finds, or the channel's secret as `key id:secret key`.
 */

import type { RemediationState, Severity } from '@akashi/contract'
import type { AwsSecurityFinding } from '@aws-sdk/client-securityhub'
import { type Message, severityOf, summaryOf, typeOf } from '../message.ts'
import type { Channel, SendParts } from '../types.ts'
import { DeliveryFailure } from './failure.ts'

/** Findings of one request, and bytes of one finding. */
export const MAX_FINDINGS = 100
const MAX_FINDING_BYTES = 240 * 1024
const TITLE_CHARACTERS = 256
const DESCRIPTION_CHARACTERS = 1024
const FIELD_CHARACTERS = 1024
const MAX_FIELDS = 50

interface Place {
  readonly region: string
  readonly account: string
  /** Instead of AWS's. */
  readonly endpoint: string | null
}

export function placeOf(destination: string): Place {
  const url = new URL(destination)
  const account = url.pathname.slice(1)
  if (!/^\d{12}$/.test(account) || !/^[a-z0-9-]+$/.test(url.hostname))
    throw new DeliveryFailure('write the destination as securityhub://REGION/ACCOUNT', { isFinal: true })
  return { region: url.hostname, account, endpoint: url.searchParams.get('endpoint') }
}

const labels: Readonly<Record<Severity, string>> = {
  info: 'INFORMATIONAL',
  low: 'LOW',
  medium: 'MEDIUM',
  high: 'HIGH',
  critical: 'CRITICAL',
}

/** The id of an event in Security Hub. */
export function hubIdOf(channel: Channel, message: Message): string {
  const { region, account } = placeOf(channel.destination)
  return `akashi/${region}/${account}/${message.id}`
}

function asffOf(channel: Channel, message: Message): AwsSecurityFinding {
  const { region, account } = placeOf(channel.destination)
  const { row } = message
  const title = String(row['description'] ?? typeOf(message))
  const fields = Object.entries(row)
    .filter(([name, value]) => name !== 'salt' && value !== null)
    .map(([name, value]): [string, string] => [
      name,
      (typeof value === 'object' ? JSON.stringify(value) : String(value)).slice(0, FIELD_CHARACTERS),
    ])
    .slice(0, MAX_FIELDS)
  const finding: AwsSecurityFinding = {
    SchemaVersion: '2018-10-08',
    Id: hubIdOf(channel, message),
    ProductArn: `arn:${partitionOf(region)}:securityhub:${region}:${account}:product/${account}/default`,
    GeneratorId: `akashi/${typeOf(message)}`,
    AwsAccountId: account,
    Types: [message.row['resource_type'] === 'finding' ? 'TTPs' : 'Unusual Behaviors/User'],
    CreatedAt: new Date(message.at).toISOString(),
    UpdatedAt: new Date().toISOString(),
    Severity: { Label: labels[severityOf(message)] as 'LOW', Original: severityOf(message) },
    Title: title.slice(0, TITLE_CHARACTERS),
    Description: summaryOf(message).slice(0, DESCRIPTION_CHARACTERS),
    ProductFields: Object.fromEntries(fields.map(([name, value]) => [`akashi/${name}`, value])),
    Resources: [
      {
        Type: 'Other',
        Id: `akashi/${String(row['resource_id'] ?? row['source_ip'] ?? row['user_name'] ?? message.id)}`.slice(
          0,
          512,
        ),
      },
    ],
    RecordState: 'ACTIVE',
    Workflow: { Status: 'NEW' },
  }
  if (Buffer.byteLength(JSON.stringify(finding)) > MAX_FINDING_BYTES) delete finding.ProductFields
  return finding
}

function partitionOf(region: string): string {
  if (region.startsWith('cn-')) return 'aws-cn'
  return region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws'
}

async function open(channel: Channel, { secret }: SendParts) {
  const { SecurityHubClient } = await import('@aws-sdk/client-securityhub')
  const { region, endpoint } = placeOf(channel.destination)
  const [accessKeyId = '', secretAccessKey = ''] = secret?.split(':') ?? []
  return new SecurityHubClient({
    region,
    ...(endpoint === null ? {} : { endpoint }),
    // The channel itself retries, in order.
    maxAttempts: 1,
    ...(secret === null ? {} : { credentials: { accessKeyId, secretAccessKey } }),
  })
}

/** Refusals by AWS are final, except throttling and server errors. */
async function ask<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const status =
      typeof error === 'object' && error !== null && '$metadata' in error
        ? (error.$metadata as { readonly httpStatusCode?: number }).httpStatusCode
        : undefined
    const name = error instanceof Error ? error.name : 'error'
    if (status === undefined) throw error
    throw new DeliveryFailure(`Security Hub: ${name}`, {
      code: status,
      isFinal: status === 400 && !/throttl|limitexceeded/i.test(name),
    })
  }
}

export async function importFindings(
  channel: Channel,
  messages: readonly Message[],
  parts: SendParts,
): Promise<number> {
  const { BatchImportFindingsCommand } = await import('@aws-sdk/client-securityhub')
  const client = await open(channel, parts)
  try {
    const result = await ask(() =>
      client.send(
        new BatchImportFindingsCommand({ Findings: messages.map((message) => asffOf(channel, message)) }),
        { abortSignal: parts.signal },
      ),
    )
    const [refused] = result.FailedFindings ?? []
    if (refused !== undefined)
      throw new DeliveryFailure(
        `Security Hub refused a finding: ${refused.ErrorCode} ${refused.ErrorMessage}`,
        {
          isFinal: true,
        },
      )
    return 200
  } finally {
    client.destroy()
  }
}

const workflows: Readonly<Record<RemediationState, 'NEW' | 'NOTIFIED' | 'RESOLVED' | 'SUPPRESSED'>> = {
  open: 'NEW',
  in_progress: 'NOTIFIED',
  resolved: 'RESOLVED',
  suppressed: 'SUPPRESSED',
}

interface HubChange {
  readonly hubId: string
  readonly status: RemediationState
  readonly notes: string | null
}

/** Updates the status of events in Security Hub, one request each. */
export async function updateFindings(
  channel: Channel,
  changes: readonly HubChange[],
  parts: SendParts,
): Promise<void> {
  const { BatchUpdateFindingsCommand } = await import('@aws-sdk/client-securityhub')
  const { region, account } = placeOf(channel.destination)
  const ProductArn = `arn:${partitionOf(region)}:securityhub:${region}:${account}:product/${account}/default`
  const client = await open(channel, parts)
  try {
    for (const { hubId, status, notes } of changes) {
      await ask(() =>
        client.send(
          new BatchUpdateFindingsCommand({
            FindingIdentifiers: [{ Id: hubId, ProductArn }],
            Workflow: { Status: workflows[status] },
            ...(notes === null ? {} : { Note: { Text: notes.slice(0, 512), UpdatedBy: 'akashi' } }),
          }),
          { abortSignal: parts.signal },
        ),
      )
    }
  } finally {
    client.destroy()
  }
}
