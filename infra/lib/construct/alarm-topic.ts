import { AnyPrincipal, Effect, PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Subscription, SubscriptionProtocol, Topic, TopicPolicy } from 'aws-cdk-lib/aws-sns'
import { Stack } from 'aws-cdk-lib/core'
import { Construct } from 'constructs'
import { keyPolicy, useThroughServices } from './key-policy.ts'
import { customerKey } from './keys.ts'

const KEY_USE = ['kms:Decrypt', 'kms:GenerateDataKey*']

export interface AlarmTopicProps {
  readonly project: string
  /** Of the environment. */
  readonly name: string
  readonly emails: readonly string[]
}

/** Where everything that somebody should look at arrives: encrypted, over TLS, from three services of this account. */
export class AlarmTopic extends Construct {
  readonly topic: Topic

  constructor(scope: Construct, id: string, { project, name, emails }: AlarmTopicProps) {
    super(scope, id)
    const { account } = Stack.of(this)
    const ours = { StringEquals: { 'aws:SourceAccount': account } }
    const use = (sid: string, service: string, conditions?: Record<string, Record<string, string>>) =>
      new PolicyStatement({
        sid,
        principals: [new ServicePrincipal(`${service}.amazonaws.com`)],
        actions: KEY_USE,
        resources: ['*'],
        ...(conditions === undefined ? {} : { conditions }),
      })
    const key = customerKey(this, 'Key', {
      alias: `${name}/alarms`,
      description: `${project} alarm encryption key`,
      policy: keyPolicy(
        use('Alarms', 'cloudwatch', ours),
        use('Budgets', 'budgets', ours),
        // Requests of EventBridge carry no account; with a condition on it, every notice would be lost without a word.
        use('Events', 'events'),
        // Operators who try it out publish by themselves.
        ...useThroughServices(this, 'sns'),
      ),
    })
    this.topic = new Topic(this, 'Topic', {
      topicName: `${name}-alarms`,
      displayName: `${project} ${name}`,
      masterKey: key,
    })
    const policy = new TopicPolicy(this, 'Policy', { topics: [this.topic] })
    const publish = (sid: string, service: string, conditions?: Record<string, Record<string, string>>) =>
      policy.document.addStatements(
        new PolicyStatement({
          sid,
          principals: [new ServicePrincipal(`${service}.amazonaws.com`)],
          actions: ['sns:Publish'],
          resources: [this.topic.topicArn],
          ...(conditions === undefined ? {} : { conditions }),
        }),
      )
    publish('Alarms', 'cloudwatch', ours)
    publish('Budgets', 'budgets', ours)
    // A rule without a role of its own reaches topics of its account alone.
    publish('Events', 'events')
    policy.document.addStatements(
      new PolicyStatement({
        sid: 'OverTls',
        effect: Effect.DENY,
        principals: [new AnyPrincipal()],
        actions: ['sns:Publish'],
        resources: [this.topic.topicArn],
        conditions: { Bool: { 'aws:SecureTransport': 'false' } },
      }),
    )
    for (const [index, endpoint] of emails.entries()) {
      new Subscription(this, `Email${index + 1}`, {
        topic: this.topic,
        protocol: SubscriptionProtocol.EMAIL,
        endpoint,
      })
    }
  }
}
