/**
 * The custom resource that installs Akashi: starts the state machine on create and update, and tells CloudFormation
 * how it ended. Nothing happens on delete, nor when CloudFormation rolls back: the database then stays at the schema
 * it has, with which the programs of the version before keep working.
 */
import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation'
import {
  DescribeExecutionCommand,
  ExecutionAlreadyExists,
  SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn'

const RESOURCE = 'akashi-schema'
const stacks = new CloudFormationClient()
const machines = new SFNClient()

export async function onEvent({ RequestType, RequestId, StackId }) {
  if (RequestType === 'Delete' || (await isRollingBack(StackId))) return { PhysicalResourceId: RESOURCE }
  const machine = process.env['STATE_MACHINE_ARN']
  const execution = machine.replace(':stateMachine:', ':execution:').concat(':', RequestId)
  try {
    await machines.send(
      new StartExecutionCommand({
        stateMachineArn: machine,
        // A retry of the same request finds the execution that it began.
        name: RequestId,
        input: JSON.stringify({ snapshot: RequestType === 'Update' }),
      }),
    )
  } catch (error) {
    if (!(error instanceof ExecutionAlreadyExists)) throw error
  }
  return { PhysicalResourceId: RESOURCE, Execution: execution }
}

export async function isComplete({ Execution }) {
  if (Execution === undefined) return { IsComplete: true }
  const { status, error, cause } = await machines.send(
    new DescribeExecutionCommand({ executionArn: Execution }),
  )
  if (status === 'SUCCEEDED') return { IsComplete: true }
  if (status === 'RUNNING' || status === 'PENDING_REDRIVE') return { IsComplete: false }
  throw new Error(`installing Akashi ended as ${status}: ${error ?? ''} ${cause ?? ''}`.slice(0, 1_000))
}

async function isRollingBack(name) {
  const { Stacks = [] } = await stacks.send(new DescribeStacksCommand({ StackName: name }))
  return Stacks.some(({ StackStatus }) => StackStatus.includes('ROLLBACK'))
}
