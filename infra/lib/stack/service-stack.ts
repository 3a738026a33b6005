import { type ISecurityGroup, Peer, Port, SecurityGroup } from 'aws-cdk-lib/aws-ec2'
import { Cluster, ContainerInsights, type FargateTaskDefinition } from 'aws-cdk-lib/aws-ecs'
import { Key } from 'aws-cdk-lib/aws-kms'
import type { ILogGroup } from 'aws-cdk-lib/aws-logs'
import { Secret } from 'aws-cdk-lib/aws-secretsmanager'
import { CfnOutput, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib/core'
import { Construct } from 'constructs'
import { acknowledge } from '../acknowledge.ts'
import { AccessLogs } from '../construct/access-logs.ts'
import { Cache } from '../construct/cache.ts'
import { addCollector, exporting } from '../construct/collector.ts'
import { Edge } from '../construct/edge.ts'
import { Initializer } from '../construct/initializer.ts'
import { KeyringVolume } from '../construct/keyring-volume.ts'
import { LoadBalancer } from '../construct/load-balancer.ts'
import { logGroup } from '../construct/log-group.ts'
import { addMetricsContainer } from '../construct/metrics-container.ts'
import { service } from '../construct/service.ts'
import { SignIn } from '../construct/sign-in.ts'
import { type TaskProps, taskDefinition } from '../construct/task.ts'
import { taskRoles } from '../construct/task-roles.ts'
import { WebAcl } from '../construct/web-acl.ts'
import { databaseCa } from '../database-ca.ts'
import { archiveBucketName, environmentName, roleArn, TASKS, witnessBucketName } from '../names.ts'
import type { EnvironmentParameter, ServiceParameter } from '../parameter.ts'
import { schemaVersion } from '../schema-version.ts'
import type { DataStack } from './data-stack.ts'
import type { ImagesStack } from './images-stack.ts'

const PASSWORD_LENGTH = 32
const EXCLUDED_CHARACTERS = '"@/\\\''
const NOT_ROTATED =
  'Tasks read it when they start. A new password takes effect by deploying, which sets it in the database.'

export interface ServiceStackProps extends StackProps {
  readonly parameter: EnvironmentParameter
  readonly data: DataStack
  readonly images: ImagesStack
}

/** Akashi itself: installed by a task, served and worked by others, behind a private load balancer. */
export class ServiceStack extends Stack {
  readonly balancer: LoadBalancer

  constructor(scope: Construct, id: string, props: ServiceStackProps) {
    super(scope, id, props)
    const { parameter, data, images } = props
    const { service: wanted } = parameter
    const name = environmentName(parameter)
    const { vpc, computeSubnets, dataSubnets } = data.network
    const key = (keyId: string, arn: string) => Key.fromKeyArn(this, keyId, arn)
    const logsKey = key('LogsKey', data.keys.logs.keyArn)
    const secretsKey = key('SecretsKey', data.keys.secrets.keyArn)

    const log = logGroup(this, 'Log', { name: `/${name}/tasks`, key: logsKey })
    const password = new Secret(this, 'ServerPassword', {
      description: `${parameter.project} password of akashi_server`,
      encryptionKey: secretsKey,
      generateSecretString: {
        secretStringTemplate: JSON.stringify({ username: 'akashi_server' }),
        generateStringKey: 'password',
        excludeCharacters: EXCLUDED_CHARACTERS,
        includeSpace: false,
        passwordLength: PASSWORD_LENGTH,
      },
      removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    })
    acknowledge(password, {
      'AwsSolutions-SMG4': NOT_ROTATED,
      'NIST.800.53.R5-SecretsManagerRotationEnabled': NOT_ROTATED,
    })
    const keyring = new KeyringVolume(this, 'Keyring', {
      vpc,
      subnets: dataSubnets,
      key: key('PersonKeyring', data.keys.personKeyring.keyArn),
      taskRoleArns: TASKS.map((task) => roleArn(this.partition, this.account, `${name}-${task}`)),
      backupPlanId: data.backup.planId,
      backupRoleArn: data.backup.roleArn,
    })
    const cache = new Cache(this, 'Cache', {
      name,
      vpc,
      subnets: dataSubnets,
      key: key('DatabaseKey', data.keys.database.keyArn),
      secretsKey,
    })
    const administrator = Secret.fromSecretCompleteArn(this, 'Administrator', data.secret.secretArn)
    const roles = taskRoles(new Construct(this, 'Roles'), {
      name,
      personKeyringArn: data.keys.personKeyring.keyArn,
      archiveKeyArn: data.keys.archive.keyArn,
      secretArns: [administrator.secretArn, password.secretArn, cache.token.secretArn],
      secretsKeyArn: data.keys.secrets.keyArn,
      logGroupArn: log.logGroupArn,
      repositoryArns: [images.repository, images.collector].flatMap((one) => one?.repositoryArn ?? []),
      tracing: images.collector !== undefined,
      ...(parameter.archive.witnessAccount === undefined
        ? {}
        : { witnessAccount: parameter.archive.witnessAccount }),
    })

    const database = SecurityGroup.fromSecurityGroupId(
      this,
      'DatabaseSecurityGroup',
      data.network.databaseSecurityGroup.securityGroupId,
    )
    const tasks = this.taskSecurityGroup(data, database)
    keyring.admit(tasks)
    cache.admit(tasks)
    const endpoints = this.admitToEndpoints(tasks, data)

    const signIn = new SignIn(this, 'SignIn', { name, hostName: wanted.hostName })
    const image = `${images.repository.repositoryUri}:${wanted.imageTag}`
    const environment = {
      ...this.common(parameter, data, keyring.path),
      CACHE_HOST: cache.host,
      CACHE_PORT: cache.port,
    }
    const server = {
      SERVER_PASSWORD: [password, 'password'],
    } as const
    const running = { ...server, CACHE_TOKEN: [cache.token, ''] } as const
    const task = (
      definitionId: 'Install' | 'Serve' | 'Work',
      settings: Pick<TaskProps, 'cpu' | 'memoryMiB' | 'environment' | 'secrets' | 'taskRole'>,
    ) => {
      const command = definitionId.toLowerCase() as 'install' | 'serve' | 'work'
      const traces =
        images.collector === undefined || command === 'install' ? {} : exporting(`${name}-${command}`)
      return taskDefinition(this, definitionId, {
        command,
        name: `${name}-${command}`,
        image,
        executionRole: roles.execution,
        log,
        keyring,
        ...settings,
        environment: { ...settings.environment, ...traces },
      })
    }
    const cluster = new Cluster(this, 'Cluster', {
      clusterName: name,
      vpc,
      containerInsightsV2: ContainerInsights.ENHANCED,
    })
    // ECS would make it, without a key.
    cluster.node.addDependency(
      logGroup(this, 'InsightsLog', {
        name: `/aws/ecs/containerinsights/${name}/performance`,
        key: logsKey,
      }),
    )
    const install = task('Install', {
      cpu: 512,
      memoryMiB: 1_024,
      taskRole: roles.install,
      environment: this.common(parameter, data, keyring.path),
      secrets: {
        ...server,
        ADMINISTRATOR_LOGIN: [administrator, 'username'],
        ADMINISTRATOR_PASSWORD: [administrator, 'password'],
      },
    })
    const initializer = new Initializer(this, 'Initializer', {
      name,
      cluster,
      definition: install,
      roles: [roles.install, roles.execution],
      vpc,
      subnets: computeSubnets,
      securityGroup: tasks,
      snapshotArn: data.backup.snapshot.stateMachine.stateMachineArn,
      logsKey,
      version: wanted.imageTag,
    })

    // It runs at once, and needs its rights, its keyring and its ways.
    initializer.resource.node.addDependency(
      roles.install,
      roles.execution,
      keyring,
      tasks,
      database,
      ...endpoints,
    )

    const balancer = new LoadBalancer(this, 'LoadBalancer', {
      name,
      vpc,
      subnets: computeSubnets,
      cidr: parameter.network.cidr,
      certificateArn: wanted.certificateArn,
      accessLogs: new AccessLogs(this, 'AccessLogs', { spare: true }).bucket,
      webAclArn: new WebAcl(this, 'WebAcl', { name, logsKey }).arn,
    })
    balancer.admit(tasks)
    this.balancer = balancer
    const serving = task('Serve', {
      cpu: 1_024,
      memoryMiB: 2_048,
      taskRole: roles.serve,
      environment: {
        ...environment,
        AKASHI_PUBLIC_URL: `https://${wanted.hostName}`,
        AKASHI_TRUSTED_PROXIES: parameter.network.cidr,
        OIDC_ISSUERS: signIn.issuers,
      },
      secrets: running,
    })
    addMetricsContainer(serving, { name, image, log })
    const serve = service(this, 'ServeService', {
      name: `${name}-serve`,
      cluster,
      definition: serving,
      securityGroup: tasks,
      subnets: computeSubnets,
      minTasks: wanted.minTasks,
      maxTasks: wanted.maxTasks,
      targets: balancer.targets,
    })
    const working = task('Work', {
      cpu: 1_024,
      memoryMiB: 4_096,
      taskRole: roles.work,
      environment,
      secrets: running,
    })
    for (const one of [serving, working]) this.addCollectorTo(one, images, wanted, log)
    const work = service(this, 'WorkService', {
      name: `${name}-work`,
      cluster,
      definition: working,
      securityGroup: tasks,
      subnets: computeSubnets,
      minTasks: wanted.workers,
      maxTasks: wanted.workers,
    })
    // The schema first: a program that is newer than its database does not start.
    for (const one of [serve, work]) one.node.addDependency(initializer.resource, cache)

    const output = (outputId: string, description: string, value: string) =>
      new CfnOutput(this, outputId, { description, value })
    output('SchemaVersion', 'Newest migration of the image', schemaVersion())
    output(
      'LoadBalancerHost',
      'Host name of the private load balancer',
      balancer.balancer.loadBalancerDnsName,
    )
    if (wanted.edgeCertificateArn === undefined) return
    const edge = new Edge(this, 'Edge', {
      name,
      hostName: wanted.hostName,
      certificateArn: wanted.edgeCertificateArn,
      countries: wanted.countries,
      balancer: balancer.balancer,
    })
    output('Distribution', `What the name ${wanted.hostName} has to lead to`, edge.domainName)
  }

  private addCollectorTo(
    definition: FargateTaskDefinition,
    { collector }: ImagesStack,
    { tracing }: ServiceParameter,
    log: ILogGroup,
  ): void {
    if (collector === undefined || tracing === undefined) return
    addCollector(definition, { image: `${collector.repositoryUri}:${tracing.collectorTag}`, log })
  }

  /** Settings of every task; none of them is a secret. */
  private common(parameter: EnvironmentParameter, data: DataStack, path: string): Record<string, string> {
    const { region, environment, archive } = parameter
    const name = environmentName(parameter)
    const { hostname, port } = data.cluster.clusterEndpoint
    const lock = `region=${region}&objectLock=${archive.lock}`
    return {
      AKASHI_APP_ENVIRONMENT: environment,
      AWS_REGION: region,
      DATABASE_HOST: hostname,
      DATABASE_PORT: String(port),
      DATABASE_NAME: 'akashi',
      DATABASE_TLS: 'verify-full',
      DATABASE_CA: databaseCa(region),
      KEYS_URL: `awskms:alias/${name}/person-keyring?folder=${path}/keys&region=${region}`,
      OBJECT_STORE_URL: `s3://${archiveBucketName(this, name)}?${lock}`,
      ...(archive.witnessAccount === undefined
        ? {}
        : { COLD_STORE_URL: `s3://${witnessBucketName(name, archive.witnessAccount)}?${lock}` }),
    }
  }

  private taskSecurityGroup(data: DataStack, database: ISecurityGroup): SecurityGroup {
    const tasks = new SecurityGroup(this, 'Tasks', {
      vpc: data.network.vpc,
      description: 'Tasks: to the database, Valkey, the keyring and AWS',
      allowAllOutbound: false,
    })
    database.addIngressRule(tasks, Port.POSTGRES, 'Tasks')
    tasks.addEgressRule(database, Port.POSTGRES, 'Database')
    // S3, through its gateway, and the OpenID provider have no addresses of ours.
    tasks.addEgressRule(Peer.anyIpv4(), Port.HTTPS, 'AWS')
    return tasks
  }

  /** Names of AWS services lead to the endpoints, where there are any, and nowhere else: also for ECS, which starts tasks. */
  private admitToEndpoints(tasks: SecurityGroup, { network }: DataStack): ISecurityGroup[] {
    if (network.endpoints === undefined) return []
    const endpoints = SecurityGroup.fromSecurityGroupId(
      this,
      'EndpointsSecurityGroup',
      network.endpoints.securityGroup.securityGroupId,
    )
    endpoints.addIngressRule(tasks, Port.HTTPS, 'Tasks')
    return [endpoints]
  }
}
