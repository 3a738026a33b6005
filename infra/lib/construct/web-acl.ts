import type { IKey } from 'aws-cdk-lib/aws-kms'
import { CfnLoggingConfiguration, CfnWebACL } from 'aws-cdk-lib/aws-wafv2'
import { Construct } from 'constructs'
import { logGroup } from './log-group.ts'

/** Requests of one address in five minutes; a busy client of the chat makes a tenth. */
const RATE_LIMIT = 2_000
/**
 * In which CloudFront writes whom it spoke to. Of X-Forwarded-For the web ACL would take the first address, which the
 * caller can write.
 */
export const CLIENT_ADDRESS_HEADER = 'True-Client-IP'
/**
 * Managed rule groups → rules of them that only count: text of a chat and files look like attacks. Lists of bad addresses
 * are left out: they look at the address that a request comes from, and here that is CloudFront.
 */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  AWSManagedRulesCommonRuleSet: ['SizeRestrictions_BODY', 'CrossSiteScripting_BODY', 'GenericRFI_BODY'],
  AWSManagedRulesKnownBadInputsRuleSet: [],
  AWSManagedRulesSQLiRuleSet: ['SQLi_BODY', 'SQLiExtendedPatterns_BODY'],
}

/** Refuses known attacks and floods before they reach a task. */
export class WebAcl extends Construct {
  readonly arn: string

  constructor(scope: Construct, id: string, { name, logsKey }: { name: string; logsKey: IKey }) {
    super(scope, id)
    const visibility = (metricName: string) => ({
      cloudWatchMetricsEnabled: true,
      sampledRequestsEnabled: true,
      metricName,
    })
    const acl = new CfnWebACL(this, 'Acl', {
      name,
      scope: 'REGIONAL',
      defaultAction: { allow: {} },
      visibilityConfig: visibility(name),
      rules: [
        {
          name: 'rate',
          priority: 0,
          action: { block: {} },
          statement: {
            rateBasedStatement: {
              limit: RATE_LIMIT,
              evaluationWindowSec: 300,
              aggregateKeyType: 'FORWARDED_IP',
              // Without the header, the request did not come through CloudFront.
              forwardedIpConfig: { headerName: CLIENT_ADDRESS_HEADER, fallbackBehavior: 'NO_MATCH' },
            },
          },
          visibilityConfig: visibility('rate'),
        },
        ...Object.entries(GROUPS).map(([group, counted], index) => ({
          name: group,
          priority: index + 1,
          overrideAction: { none: {} },
          statement: {
            managedRuleGroupStatement: {
              vendorName: 'AWS',
              name: group,
              ruleActionOverrides: counted.map((rule) => ({ name: rule, actionToUse: { count: {} } })),
            },
          },
          visibilityConfig: visibility(group),
        })),
      ],
    })
    this.arn = acl.attrArn
    const log = logGroup(this, 'Log', { name: `aws-waf-logs-${name}`, key: logsKey })
    new CfnLoggingConfiguration(this, 'Logging', {
      resourceArn: acl.attrArn,
      logDestinationConfigs: [log.logGroupArn.replace(/:\*$/, '')],
      redactedFields: ['authorization', 'cookie'].map((header) => ({ singleHeader: { Name: header } })),
    })
  }
}
