import { type LogGenerator, type MadeLine, take } from './log.ts'
import { address, createRandom, type Random } from './random.ts'

const START = Date.UTC(2024, 1, 28, 22, 0, 0)
/** One line in this many is broken, or not about a login. */
const BROKEN_ONE_IN = 200
const OTHER_ONE_IN = 5

interface Moment {
  readonly random: Random
  /** Milliseconds since 1970. */
  readonly time: number
  readonly from: string
  readonly failed: boolean
}

type Maker = (moment: Moment) => {
  readonly login: object
  readonly other: object
  readonly otherType: string
}

function generator(make: Maker): LogGenerator {
  function* lines(random: Random): Generator<MadeLine, void, undefined> {
    for (let time = START; ; time += random.below(500)) {
      const moment = { random, time, from: address(random), failed: random.below(3) > 0 }
      const { login, other, otherType } = make(moment)
      if (random.below(BROKEN_ONE_IN) === 0) {
        yield { text: JSON.stringify(login).slice(0, -9), type: null }
      } else if (random.below(OTHER_ONE_IN) === 0) {
        yield { text: JSON.stringify(other), type: otherType, address: moment.from }
      } else {
        const type = moment.failed ? 'authentication_failure' : 'authentication_success'
        yield { text: JSON.stringify(login), type, address: moment.from }
      }
    }
  }
  return (count, seed) => take(count, lines(createRandom(seed)))
}

export const generateJsonLog = generator(({ random, time, from, failed }) => {
  const common = {
    source_service: 'api_gateway',
    source_ip: from,
    user_agent: 'Mozilla/5.0 (X11; Linux x86_64)',
    request_id: random.uuid(),
    tenant_id: `tenant-${random.below(20)}`,
    created_at: new Date(time).toISOString(),
  }
  return {
    login: {
      ...common,
      event_type: failed ? 'authentication_failure' : 'authentication_success',
      event_category: 'authentication',
      severity: failed ? 'low' : 'info',
      user_name: `user${random.below(500)}@example.com`,
      result: failed ? 'failure' : 'success',
      event_details: { attempt: random.below(9) },
    },
    other: {
      ...common,
      event_type: 'message_read',
      event_category: 'data_access',
      severity: 'info',
      user_id: random.uuid(),
      resource_type: 'room',
      resource_id: random.uuid(),
      action_performed: 'read',
    },
    otherType: 'message_read',
  }
})

export const generateOcsfLog = generator(({ random, time, from, failed }) => {
  const metadata = {
    uid: random.uuid(),
    version: '1.3.0',
    product: { name: 'Directory', vendor_name: 'Example' },
  }
  const common = {
    time,
    metadata,
    severity_id: failed ? 2 : 1,
    status_id: failed ? 2 : 1,
    src_endpoint: { ip: from },
  }
  const user = { name: `user${random.below(500)}`, uid: random.hex(16) }
  return {
    login: { ...common, class_uid: 3002, category_uid: 3, activity_id: 1, type_uid: 300_201, user },
    other: {
      ...common,
      class_uid: 6003,
      category_uid: 6,
      activity_id: 2,
      type_uid: 600_302,
      actor: { user },
      api: { operation: 'GetObject', service: { name: 's3' }, request: { uid: random.uuid() } },
    },
    otherType: 'api_read',
  }
})

export const generateCloudTrailLog = generator(({ random, time, from, failed }) => {
  const common = {
    eventVersion: '1.09',
    eventTime: `${new Date(time).toISOString().slice(0, 19)}Z`,
    awsRegion: 'ap-northeast-1',
    sourceIPAddress: from,
    userAgent: 'aws-cli/2.15.0 Python/3.11.6',
    userIdentity: {
      type: 'IAMUser',
      arn: `arn:aws:iam::123456789012:user/user${random.below(500)}`,
      accountId: '123456789012',
      userName: `user${random.below(500)}`,
    },
    requestID: random.uuid(),
    eventID: random.uuid(),
    recipientAccountId: '123456789012',
  }
  return {
    login: {
      ...common,
      eventSource: 'signin.amazonaws.com',
      eventName: 'ConsoleLogin',
      responseElements: { ConsoleLogin: failed ? 'Failure' : 'Success' },
      ...(failed ? { errorMessage: 'Failed authentication' } : {}),
    },
    other: {
      ...common,
      eventSource: 's3.amazonaws.com',
      eventName: 'GetObject',
      readOnly: true,
      resources: [{ type: 'AWS::S3::Object', ARN: `arn:aws:s3:::bucket/${random.hex(12)}` }],
    },
    otherType: 'api_read',
  }
})
