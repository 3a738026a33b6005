/** What stands between people and the tasks. */
import { type ExactCheck, exactly } from './exactly.ts'
import { subnets } from './task-settings.ts'

const AT_THE_EDGE = [{ EventType: 'viewer-request', FunctionARN: '<Edge/Request.FunctionARN>' }]

export const frontChecks: readonly ExactCheck[] = [
  exactly(
    'sign-in: a second factor for everybody, long passwords, threat protection, no registration',
    'AWS::Cognito::UserPool',
    'SignIn/Users',
    {
      AccountRecoverySetting: { RecoveryMechanisms: [{ Name: 'verified_email', Priority: 1 }] },
      AdminCreateUserConfig: { AllowAdminCreateUserOnly: true },
      AutoVerifiedAttributes: ['email'],
      DeletionProtection: 'ACTIVE',
      EmailVerificationMessage: 'The verification code to your new account is {####}',
      EmailVerificationSubject: 'Verify your new account',
      EnabledMfas: ['SOFTWARE_TOKEN_MFA'],
      MfaConfiguration: 'ON',
      Policies: {
        PasswordPolicy: {
          MinimumLength: 12,
          RequireLowercase: true,
          RequireNumbers: true,
          RequireSymbols: true,
          RequireUppercase: true,
          TemporaryPasswordValidityDays: 7,
        },
      },
      SmsVerificationMessage: 'The verification code to your new account is {####}',
      UserPoolAddOns: { AdvancedSecurityMode: 'ENFORCED' },
      UserPoolName: '<name>',
      UserPoolTier: 'PLUS',
      UsernameAttributes: ['email'],
      UsernameConfiguration: { CaseSensitive: false },
      VerificationMessageTemplate: {
        DefaultEmailOption: 'CONFIRM_WITH_CODE',
        EmailMessage: 'The verification code to your new account is {####}',
        EmailSubject: 'Verify your new account',
        SmsMessage: 'The verification code to your new account is {####}',
      },
    },
    { kept: true },
  ),
  exactly('sign-in: has its domain', 'AWS::Cognito::UserPoolDomain', 'SignIn/Users/Domain', {
    Domain: '<name>-<account>',
    UserPoolId: '<SignIn/Users>',
  }),
  exactly(
    'sign-in: the code flow alone, back to our host, tokens for minutes',
    'AWS::Cognito::UserPoolClient',
    'SignIn/Client',
    (parameter) => ({
      AccessTokenValidity: 5,
      AllowedOAuthFlows: ['code'],
      AllowedOAuthFlowsUserPoolClient: true,
      AllowedOAuthScopes: ['openid', 'email', 'profile'],
      CallbackURLs: [`https://${parameter.service.hostName}/v1/oidc/callback`],
      ClientName: '<name>',
      EnableTokenRevocation: true,
      GenerateSecret: false,
      IdTokenValidity: 5,
      LogoutURLs: [`https://${parameter.service.hostName}/`],
      PreventUserExistenceErrors: 'ENABLED',
      RefreshTokenValidity: 60,
      SupportedIdentityProviders: ['COGNITO'],
      TokenValidityUnits: { AccessToken: 'minutes', IdToken: 'minutes', RefreshToken: 'minutes' },
      UserPoolId: '<SignIn/Users>',
    }),
  ),
  exactly(
    'balancer: access logs are encrypted, kept for a year, closed to the public',
    'AWS::S3::Bucket',
    'AccessLogs/Bucket',
    {
      BucketEncryption: {
        ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } }],
      },
      LifecycleConfiguration: {
        Rules: [
          { ExpirationInDays: 365, NoncurrentVersionExpiration: { NoncurrentDays: 365 }, Status: 'Enabled' },
        ],
      },
      OwnershipControls: { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] },
      PublicAccessBlockConfiguration: {
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      },
      VersioningConfiguration: { Status: 'Enabled' },
    },
    { kept: true },
  ),
  exactly(
    'balancer: access logs are written by the load balancer alone, over TLS',
    'AWS::S3::BucketPolicy',
    'AccessLogs/Bucket/Policy',
    {
      Bucket: '<AccessLogs/Bucket>',
      PolicyDocument: {
        Statement: [
          {
            Action: 's3:*',
            Condition: { Bool: { 'aws:SecureTransport': 'false' } },
            Effect: 'Deny',
            Principal: { AWS: '*' },
            Resource: ['<AccessLogs/Bucket.Arn>', '<AccessLogs/Bucket.Arn>/*'],
          },
          {
            Action: 's3:*',
            Condition: { NumericLessThan: { 's3:TlsVersion': 1.2 } },
            Effect: 'Deny',
            Principal: { AWS: '*' },
            Resource: ['<AccessLogs/Bucket.Arn>', '<AccessLogs/Bucket.Arn>/*'],
          },
          {
            Action: 's3:PutObject',
            Effect: 'Allow',
            Principal: { AWS: 'arn:aws:iam::582318560864:root' },
            Resource: '<AccessLogs/Bucket.Arn>/load-balancer/AWSLogs/<account>/*',
          },
          {
            Action: 's3:PutObject',
            Condition: { StringEquals: { 's3:x-amz-acl': 'bucket-owner-full-control' } },
            Effect: 'Allow',
            Principal: { Service: 'delivery.logs.amazonaws.com' },
            Resource: '<AccessLogs/Bucket.Arn>/load-balancer/AWSLogs/<account>/*',
          },
          {
            Action: 's3:GetBucketAcl',
            Effect: 'Allow',
            Principal: { Service: 'delivery.logs.amazonaws.com' },
            Resource: '<AccessLogs/Bucket.Arn>',
          },
        ],
        Version: '2012-10-17',
      },
    },
  ),
  exactly(
    'web ACL: floods and known attacks are refused; text of a chat only counts',
    'AWS::WAFv2::WebACL',
    'WebAcl/Acl',
    {
      DefaultAction: { Allow: {} },
      Name: '<name>',
      Rules: [
        {
          Action: { Block: {} },
          Name: 'rate',
          Priority: 0,
          Statement: {
            RateBasedStatement: {
              AggregateKeyType: 'FORWARDED_IP',
              EvaluationWindowSec: 300,
              ForwardedIPConfig: { FallbackBehavior: 'NO_MATCH', HeaderName: 'True-Client-IP' },
              Limit: 2000,
            },
          },
          VisibilityConfig: {
            CloudWatchMetricsEnabled: true,
            MetricName: 'rate',
            SampledRequestsEnabled: true,
          },
        },
        {
          Name: 'AWSManagedRulesCommonRuleSet',
          OverrideAction: { None: {} },
          Priority: 1,
          Statement: {
            ManagedRuleGroupStatement: {
              Name: 'AWSManagedRulesCommonRuleSet',
              RuleActionOverrides: [
                { ActionToUse: { Count: {} }, Name: 'SizeRestrictions_BODY' },
                { ActionToUse: { Count: {} }, Name: 'CrossSiteScripting_BODY' },
                { ActionToUse: { Count: {} }, Name: 'GenericRFI_BODY' },
              ],
              VendorName: 'AWS',
            },
          },
          VisibilityConfig: {
            CloudWatchMetricsEnabled: true,
            MetricName: 'AWSManagedRulesCommonRuleSet',
            SampledRequestsEnabled: true,
          },
        },
        {
          Name: 'AWSManagedRulesKnownBadInputsRuleSet',
          OverrideAction: { None: {} },
          Priority: 2,
          Statement: {
            ManagedRuleGroupStatement: {
              Name: 'AWSManagedRulesKnownBadInputsRuleSet',
              RuleActionOverrides: [],
              VendorName: 'AWS',
            },
          },
          VisibilityConfig: {
            CloudWatchMetricsEnabled: true,
            MetricName: 'AWSManagedRulesKnownBadInputsRuleSet',
            SampledRequestsEnabled: true,
          },
        },
        {
          Name: 'AWSManagedRulesSQLiRuleSet',
          OverrideAction: { None: {} },
          Priority: 3,
          Statement: {
            ManagedRuleGroupStatement: {
              Name: 'AWSManagedRulesSQLiRuleSet',
              RuleActionOverrides: [
                { ActionToUse: { Count: {} }, Name: 'SQLi_BODY' },
                { ActionToUse: { Count: {} }, Name: 'SQLiExtendedPatterns_BODY' },
              ],
              VendorName: 'AWS',
            },
          },
          VisibilityConfig: {
            CloudWatchMetricsEnabled: true,
            MetricName: 'AWSManagedRulesSQLiRuleSet',
            SampledRequestsEnabled: true,
          },
        },
      ],
      Scope: 'REGIONAL',
      VisibilityConfig: {
        CloudWatchMetricsEnabled: true,
        MetricName: '<name>',
        SampledRequestsEnabled: true,
      },
    },
  ),
  exactly(
    'web ACL: its log is encrypted and kept for a month',
    'AWS::Logs::LogGroup',
    'WebAcl/Log',
    { KmsKeyId: '<Data: Keys/Logs.Arn>', LogGroupName: 'aws-waf-logs-<name>', RetentionInDays: 30 },
    { kept: true },
  ),
  exactly(
    'web ACL: logs without cookies and credentials',
    'AWS::WAFv2::LoggingConfiguration',
    'WebAcl/Logging',
    {
      LogDestinationConfigs: ['<WebAcl/Log.Arn>'],
      RedactedFields: [{ SingleHeader: { Name: 'authorization' } }, { SingleHeader: { Name: 'cookie' } }],
      ResourceArn: '<WebAcl/Acl.Arn>',
    },
  ),
  exactly(
    'balancer: HTTPS from the network alone',
    'AWS::EC2::SecurityGroup',
    'LoadBalancer/SecurityGroup',
    (parameter) => ({
      GroupDescription: 'Load balancer: HTTPS from the network, to the tasks',
      SecurityGroupIngress: [
        {
          CidrIp: parameter.network.cidr,
          Description: 'CloudFront and the network',
          FromPort: 443,
          IpProtocol: 'tcp',
          ToPort: 443,
        },
      ],
      VpcId: '<Data: Network/Vpc>',
    }),
  ),
  exactly(
    'balancer: reaches the tasks alone',
    'AWS::EC2::SecurityGroupEgress',
    'LoadBalancer/SecurityGroup/to Tasks:4180',
    {
      DestinationSecurityGroupId: '<Tasks.GroupId>',
      FromPort: 4180,
      GroupId: '<LoadBalancer/SecurityGroup.GroupId>',
      IpProtocol: 'tcp',
      ToPort: 4180,
    },
  ),
  exactly(
    'balancer: private, protected from deletion, with access logs, malformed headers dropped',
    'AWS::ElasticLoadBalancingV2::LoadBalancer',
    'LoadBalancer/Balancer',
    (parameter) => ({
      LoadBalancerAttributes: [
        { Key: 'deletion_protection.enabled', Value: 'true' },
        { Key: 'idle_timeout.timeout_seconds', Value: '120' },
        { Key: 'routing.http.drop_invalid_header_fields.enabled', Value: 'true' },
        { Key: 'access_logs.s3.enabled', Value: 'true' },
        { Key: 'access_logs.s3.bucket', Value: '<AccessLogs/Bucket>' },
        { Key: 'access_logs.s3.prefix', Value: 'load-balancer' },
      ],
      Name: '<name>',
      Scheme: 'internal',
      SecurityGroups: ['<LoadBalancer/SecurityGroup.GroupId>'],
      Subnets: subnets(parameter, 'Compute'),
      Type: 'application',
    }),
  ),
  exactly(
    'balancer: TLS 1.2 and 1.3 under our certificate',
    'AWS::ElasticLoadBalancingV2::Listener',
    'LoadBalancer/Balancer/Https',
    (parameter) => ({
      Certificates: [{ CertificateArn: parameter.service.certificateArn }],
      DefaultActions: [{ TargetGroupArn: '<LoadBalancer/Targets>', Type: 'forward' }],
      LoadBalancerArn: '<LoadBalancer/Balancer>',
      Port: 443,
      Protocol: 'HTTPS',
      SslPolicy: 'ELBSecurityPolicy-TLS13-1-2-Res-2021-06',
    }),
  ),
  exactly(
    'balancer: asks the tasks whether they live, and lets requests end',
    'AWS::ElasticLoadBalancingV2::TargetGroup',
    'LoadBalancer/Targets',
    {
      HealthCheckIntervalSeconds: 15,
      HealthCheckPath: '/healthz',
      HealthCheckTimeoutSeconds: 5,
      HealthyThresholdCount: 2,
      Matcher: { HttpCode: '403' },
      Port: 4180,
      Protocol: 'HTTP',
      TargetGroupAttributes: [
        { Key: 'deregistration_delay.timeout_seconds', Value: '30' },
        { Key: 'stickiness.enabled', Value: 'false' },
      ],
      TargetType: 'ip',
      UnhealthyThresholdCount: 3,
      VpcId: '<Data: Network/Vpc>',
    },
  ),
  exactly(
    'balancer: the web ACL stands in front of it',
    'AWS::WAFv2::WebACLAssociation',
    'LoadBalancer/WebAcl',
    { ResourceArn: '<LoadBalancer/Balancer>', WebACLArn: '<WebAcl/Acl.Arn>' },
  ),
  exactly(
    'edge: reaches the private load balancer over TLS',
    'AWS::CloudFront::VpcOrigin',
    'Edge/Distribution/Origin1/VpcOrigin',
    {
      VpcOriginEndpointConfig: {
        Arn: '<LoadBalancer/Balancer>',
        Name: '<unique EdgeDistributionOrigin1VpcOrigin>',
        OriginProtocolPolicy: 'https-only',
        OriginSSLProtocols: ['TLSv1.2'],
      },
    },
    { when: ({ service }) => service.edgeCertificateArn !== undefined },
  ),
  exactly(
    'edge: tells the web ACL whom it spoke to, whatever the caller writes, and takes no trace from them',
    'AWS::CloudFront::Function',
    'Edge/Request',
    {
      AutoPublish: true,
      FunctionCode: `function handler(event) {
  var request = event.request
  request.headers['true-client-ip'] = { value: event.viewer.ip }
  delete request.headers['traceparent']
  delete request.headers['tracestate']
  return request
}
`,
      FunctionConfig: { Comment: 'Address of the client; no trace of its own', Runtime: 'cloudfront-js-2.0' },
      Name: '<name>-request',
    },
    { when: ({ service }) => service.edgeCertificateArn !== undefined },
  ),
  exactly(
    'edge: TLS 1.2 and newer, our countries, nothing kept but built files',
    'AWS::CloudFront::Distribution',
    'Edge/Distribution',
    (parameter) => ({
      DistributionConfig: {
        Aliases: [parameter.service.hostName],
        CacheBehaviors: [
          {
            CachePolicyId: '658327ea-f89d-4fab-a63d-7e88639e58f6',
            Compress: true,
            FunctionAssociations: AT_THE_EDGE,
            OriginRequestPolicyId: '216adef6-5c7f-47e4-b989-5492eafa07d3',
            PathPattern: '/assets/*',
            TargetOriginId: '<unique EdgeDistributionOrigin1>',
            ViewerProtocolPolicy: 'redirect-to-https',
          },
        ],
        Comment: parameter.service.hostName,
        DefaultCacheBehavior: {
          AllowedMethods: ['GET', 'HEAD', 'OPTIONS', 'PUT', 'PATCH', 'POST', 'DELETE'],
          CachePolicyId: '4135ea2d-6df8-44a3-9df3-4b5a84be39ad',
          Compress: true,
          FunctionAssociations: AT_THE_EDGE,
          OriginRequestPolicyId: '216adef6-5c7f-47e4-b989-5492eafa07d3',
          TargetOriginId: '<unique EdgeDistributionOrigin1>',
          ViewerProtocolPolicy: 'redirect-to-https',
        },
        Enabled: true,
        HttpVersion: 'http2and3',
        IPV6Enabled: true,
        Origins: [
          {
            DomainName: '<LoadBalancer/Balancer.DNSName>',
            Id: '<unique EdgeDistributionOrigin1>',
            VpcOriginConfig: { VpcOriginId: '<Edge/Distribution/Origin1/VpcOrigin.Id>' },
          },
        ],
        PriceClass: 'PriceClass_200',
        Restrictions: {
          GeoRestriction: { Locations: [...parameter.service.countries], RestrictionType: 'whitelist' },
        },
        ViewerCertificate: {
          AcmCertificateArn: parameter.service.edgeCertificateArn,
          MinimumProtocolVersion: 'TLSv1.2_2021',
          SslSupportMethod: 'sni-only',
        },
      },
    }),
    { when: ({ service }) => service.edgeCertificateArn !== undefined },
  ),
]
