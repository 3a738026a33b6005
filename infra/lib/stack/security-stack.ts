import { CfnAnalyzer } from 'aws-cdk-lib/aws-accessanalyzer'
import { CfnDetector } from 'aws-cdk-lib/aws-guardduty'
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import type { Key } from 'aws-cdk-lib/aws-kms'
import { CfnHub, CfnStandard } from 'aws-cdk-lib/aws-securityhub'
import { Stack, type StackProps } from 'aws-cdk-lib/core'
import type { Construct } from 'constructs'
import { AccessLogs } from '../construct/access-logs.ts'
import { conformancePack } from '../construct/conformance.ts'
import { keyPolicy, useByCloudWatchLogs, useThroughServices } from '../construct/key-policy.ts'
import { customerKey } from '../construct/keys.ts'
import { Recorder } from '../construct/recorder.ts'
import { Trail, trailArn } from '../construct/trail.ts'
import { archiveBucketName, environmentName } from '../names.ts'
import type { EnvironmentParameter, SecurityParameter } from '../parameter.ts'

/** Standards of Security Hub CSPM by the name of their subscription. */
const STANDARDS = {
  Fsbp: 'aws-foundational-security-best-practices/v/1.0.0',
  Cis: 'cis-aws-foundations-benchmark/v/5.0.0',
  Nist: 'nist-800-53/v/5.0.0',
}
/** What GuardDuty can look at, and whether there is any of it here. */
const FEATURES = {
  RDS_LOGIN_EVENTS: true,
  S3_DATA_EVENTS: true,
  LAMBDA_NETWORK_LOGS: true,
  EBS_MALWARE_PROTECTION: false,
  EKS_AUDIT_LOGS: false,
  // Its agent would be a container beside ours, with an endpoint and an image that AWS chooses.
  RUNTIME_MONITORING: false,
}

export interface SecurityStackProps extends StackProps {
  readonly parameter: EnvironmentParameter
  readonly security: SecurityParameter
}

/** What watches the account. Deployed first: audits of backups need the recorder. */
export class SecurityStack extends Stack {
  constructor(scope: Construct, id: string, props: SecurityStackProps) {
    super(scope, id, props)
    const { parameter, security } = props
    const name = environmentName(parameter)
    const key = this.key(parameter.project, name)
    const accessLogs = new AccessLogs(this, 'AccessLogs').bucket
    new Trail(this, 'Trail', {
      name,
      key,
      accessLogs,
      buckets: [archiveBucketName(this, name)],
      management: security.cloudTrail,
    })
    const pack = conformancePack(this, 'Conformance', { name, parameter })
    if (security.config === 'create') {
      const { recorder, channel } = new Recorder(this, 'Recorder', { name, key, accessLogs })
      pack.node.addDependency(recorder, channel)
    }
    if (security.securityHub === 'create') this.securityHub(pack)
    if (security.guardDuty === 'create') {
      new CfnDetector(this, 'Detector', {
        enable: true,
        findingPublishingFrequency: 'FIFTEEN_MINUTES',
        features: Object.entries(FEATURES).map(([feature, wanted]) => ({
          name: feature,
          status: wanted ? 'ENABLED' : 'DISABLED',
        })),
      })
    }
    if (security.accessAnalyzer === 'create') {
      new CfnAnalyzer(this, 'Analyzer', { analyzerName: name, type: 'ACCOUNT' })
    }
  }

  private securityHub(pack: Construct): void {
    const hub = new CfnHub(this, 'Hub', {
      enableDefaultStandards: false,
      autoEnableControls: true,
      controlFindingGenerator: 'SECURITY_CONTROL',
    })
    // Its controls are rules of AWS Config.
    hub.node.addDependency(pack)
    for (const [standard, path] of Object.entries(STANDARDS)) {
      new CfnStandard(this, standard, {
        standardsArn: `arn:${this.partition}:securityhub:${this.region}::standards/${path}`,
      }).addResourceDependency(hub)
    }
  }

  private key(project: string, name: string): Key {
    return customerKey(this, 'Key', {
      alias: `${name}/security`,
      description: `${project} security log encryption key`,
      policy: keyPolicy(
        ...useThroughServices(this, 's3', 'cloudtrail', 'config'),
        useByCloudWatchLogs(this),
        new PolicyStatement({
          sid: 'Trail',
          principals: [new ServicePrincipal('cloudtrail.amazonaws.com')],
          actions: ['kms:DescribeKey', 'kms:GenerateDataKey*'],
          resources: ['*'],
          conditions: { StringEquals: { 'aws:SourceArn': trailArn(this, name) } },
        }),
        new PolicyStatement({
          sid: 'Config',
          principals: [new ServicePrincipal('config.amazonaws.com')],
          actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
          resources: ['*'],
          conditions: { StringEquals: { 'aws:SourceAccount': this.account } },
        }),
      ),
    })
  }
}
