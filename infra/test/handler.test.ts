/** The functions of the custom resource, with the real clients, against a server that answers as AWS does. */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'

const MACHINE = 'arn:aws:states:ap-northeast-1:000000000000:stateMachine:akashi-dev-install'
const EXECUTION = 'arn:aws:states:ap-northeast-1:000000000000:execution:akashi-dev-install:request-1'
const event = { RequestType: 'Update', RequestId: 'request-1', StackId: 'arn:aws:cloudformation:stack' }

interface Answer {
  readonly status: number
  readonly body: unknown
}

let server: Server
let handler: {
  onEvent(event: object): Promise<Record<string, string>>
  isComplete(event: object): Promise<{ IsComplete: boolean }>
}
let stackStatus = 'UPDATE_IN_PROGRESS'
let execution: Answer = { status: 200, body: { status: 'RUNNING' } }
let begun: Answer = { status: 200, body: { executionArn: EXECUTION, startDate: 1 } }
let started: Record<string, string>[] = []

async function textOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  return Buffer.concat(parts).toString()
}

beforeAll(async () => {
  server = createServer((request, response) => {
    textOf(request).then((text) => {
      const target = String(request.headers['x-amz-target'] ?? '')
      if (target === '') {
        response.setHeader('content-type', 'text/xml')
        response.end(
          `<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><DescribeStacksResult><Stacks><member><StackName>s</StackName><CreationTime>2026-01-01T00:00:00Z</CreationTime><StackStatus>${stackStatus}</StackStatus></member></Stacks></DescribeStacksResult></DescribeStacksResponse>`,
        )
        return
      }
      const starts = target.endsWith('StartExecution')
      if (starts) started.push(JSON.parse(text))
      const { status, body } = starts ? begun : execution
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' })
      response.end(JSON.stringify(body))
    }, response.destroy)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
    AWS_REGION: 'ap-northeast-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    STATE_MACHINE_ARN: MACHINE,
  })
  handler = await import(new URL('../lib/handler/index.mjs', import.meta.url).href)
})

afterAll(() => {
  server.close()
})

beforeEach(() => {
  stackStatus = 'UPDATE_IN_PROGRESS'
  execution = { status: 200, body: { status: 'RUNNING' } }
  begun = { status: 200, body: { executionArn: EXECUTION, startDate: 1 } }
  started = []
})

test('an update takes a backup, a creation has nothing to lose', async () => {
  expect(await handler.onEvent(event)).toEqual({ PhysicalResourceId: 'akashi-schema', Execution: EXECUTION })
  await handler.onEvent({ ...event, RequestType: 'Create' })
  expect(started).toEqual([
    { stateMachineArn: MACHINE, name: 'request-1', input: '{"snapshot":true}' },
    { stateMachineArn: MACHINE, name: 'request-1', input: '{"snapshot":false}' },
  ])
})

test('a deletion starts nothing and is complete', async () => {
  const answer = await handler.onEvent({ ...event, RequestType: 'Delete' })
  expect(answer).toEqual({ PhysicalResourceId: 'akashi-schema' })
  expect(await handler.isComplete(answer)).toEqual({ IsComplete: true })
  expect(started).toEqual([])
})

test.each(['UPDATE_ROLLBACK_IN_PROGRESS', 'ROLLBACK_IN_PROGRESS'])('%s starts nothing', async (status) => {
  stackStatus = status
  expect(await handler.onEvent(event)).toEqual({ PhysicalResourceId: 'akashi-schema' })
  expect(started).toEqual([])
})

test('a request that comes again finds its execution', async () => {
  begun = { status: 400, body: { __type: 'com.amazonaws.swf#ExecutionAlreadyExists', message: 'exists' } }
  expect(await handler.onEvent(event)).toMatchObject({ Execution: EXECUTION })
})

test('what else goes wrong fails the request', async () => {
  begun = { status: 400, body: { __type: 'com.amazonaws.swf#StateMachineDoesNotExist', message: 'gone' } }
  await expect(handler.onEvent(event)).rejects.toThrow('gone')
})

test('waits while it runs, and ends when it succeeded', async () => {
  expect(await handler.isComplete({ Execution: EXECUTION })).toEqual({ IsComplete: false })
  execution = { status: 200, body: { status: 'SUCCEEDED' } }
  expect(await handler.isComplete({ Execution: EXECUTION })).toEqual({ IsComplete: true })
})

test.each(['FAILED', 'TIMED_OUT', 'ABORTED'])('%s fails the deployment, with its cause', async (status) => {
  execution = { status: 200, body: { status, error: 'States.TaskFailed', cause: 'exit 2' } }
  await expect(handler.isComplete({ Execution: EXECUTION })).rejects.toThrow(
    `installing Akashi ended as ${status}: States.TaskFailed exit 2`,
  )
})
