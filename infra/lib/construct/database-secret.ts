import { Port, SecurityGroup } from 'aws-cdk-lib/aws-ec2'
import { type IKey, Key } from 'aws-cdk-lib/aws-kms'
import type { DatabaseCluster } from 'aws-cdk-lib/aws-rds'
import { HostedRotation, type ISecret, Secret } from 'aws-cdk-lib/aws-secretsmanager'
import { Duration, RemovalPolicy } from 'aws-cdk-lib/core'
import type { Construct } from 'constructs'
import { logGroup } from './log-group.ts'
import type { Network } from './network.ts'

const PASSWORD_LENGTH = 32
/** What would need escaping in a URL, a shell or JSON. */
const EXCLUDED_CHARACTERS = '"@/\\\''
const ROTATION = Duration.days(30)

/** The login that migrations use. The application has roles of its own. */
export function administratorSecret(
  scope: Construct,
  { project, key }: { project: string; key: IKey },
): Secret {
  return new Secret(scope, 'Secret', {
    description: `${project} Aurora database credentials`,
    // By ARN: into the policy of a key that it knows, the CDK writes that Secrets Manager may create any grant.
    encryptionKey: Key.fromKeyArn(scope, 'SecretKey', key.keyArn),
    generateSecretString: {
      secretStringTemplate: JSON.stringify({ username: 'akashi_admin' }),
      generateStringKey: 'password',
      excludeCharacters: EXCLUDED_CHARACTERS,
      includeSpace: false,
      passwordLength: PASSWORD_LENGTH,
    },
    removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
  })
}

/** Changes the password each month, by the function that Secrets Manager brings. */
export function rotateSecret(
  scope: Construct,
  secret: ISecret,
  cluster: DatabaseCluster,
  { network, name, logsKey }: { network: Network; name: string; logsKey: IKey },
): void {
  // Under the name that the function would make for itself, without a key and for ever.
  const functionName = `${name}-rotation`
  const log = logGroup(scope, 'RotationLog', { name: `/aws/lambda/${functionName}`, key: logsKey })
  const securityGroup = new SecurityGroup(scope, 'RotationSecurityGroup', {
    vpc: network.vpc,
    description: 'Rotation of the database secret: to the database and Secrets Manager',
    allowAllOutbound: false,
  })
  cluster.connections.allowFrom(securityGroup, Port.POSTGRES, 'Rotation of the secret')
  network.allowAwsServices(securityGroup)
  const rotation = secret.addRotationSchedule('Rotation', {
    automaticallyAfter: ROTATION,
    hostedRotation: HostedRotation.postgreSqlSingleUser({
      functionName,
      vpc: network.vpc,
      vpcSubnets: network.computeSubnets,
      securityGroups: [securityGroup],
      excludeCharacters: EXCLUDED_CHARACTERS,
    }),
  })
  // It runs at once: the database has to be there, and the ways to it and to Secrets Manager.
  rotation.node.addDependency(
    cluster,
    log,
    securityGroup,
    network.databaseSecurityGroup,
    ...network.waysToAwsServices(),
  )
}
