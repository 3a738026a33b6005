import { Certificate } from 'aws-cdk-lib/aws-certificatemanager'
import {
  AllowedMethods,
  CachePolicy,
  Function as CloudFrontFunction,
  Distribution,
  FunctionCode,
  FunctionEventType,
  FunctionRuntime,
  GeoRestriction,
  HttpVersion,
  OriginProtocolPolicy,
  OriginRequestPolicy,
  OriginSslPolicy,
  PriceClass,
  SecurityPolicyProtocol,
  ViewerProtocolPolicy,
} from 'aws-cdk-lib/aws-cloudfront'
import { VpcOrigin } from 'aws-cdk-lib/aws-cloudfront-origins'
import type { ApplicationLoadBalancer } from 'aws-cdk-lib/aws-elasticloadbalancingv2'
import { Construct } from 'constructs'
import { acknowledge } from '../acknowledge.ts'
import { CLIENT_ADDRESS_HEADER } from './web-acl.ts'

/** Built files have their digest in their names. */
const ASSETS = '/assets/*'
/**
 * What CloudFront knows, in the place of whatever the caller wrote there: whom it spoke to, by which the web ACL counts.
 * And no trace of theirs: by its flag they could have every request traced, and choose the id that the trail
 * records.
 */
const AT_THE_EDGE = `function handler(event) {
  var request = event.request
  request.headers['${CLIENT_ADDRESS_HEADER.toLowerCase()}'] = { value: event.viewer.ip }
  delete request.headers['traceparent']
  delete request.headers['tracestate']
  return request
}
`

export interface EdgeProps {
  /** Of the environment. */
  readonly name: string
  readonly hostName: string
  /** In us-east-1, where CloudFront looks for it. */
  readonly certificateArn: string
  readonly countries: readonly string[]
  readonly balancer: ApplicationLoadBalancer
}

/** CloudFront in front of the private load balancer: pages and files from near, everything else passed through. */
export class Edge extends Construct {
  readonly domainName: string

  constructor(scope: Construct, id: string, props: EdgeProps) {
    super(scope, id)
    const origin = VpcOrigin.withApplicationLoadBalancer(props.balancer, {
      protocolPolicy: OriginProtocolPolicy.HTTPS_ONLY,
      originSslProtocols: [OriginSslPolicy.TLS_V1_2],
    })
    const edge = new CloudFrontFunction(this, 'Request', {
      functionName: `${props.name}-request`,
      comment: 'Address of the client; no trace of its own',
      code: FunctionCode.fromInline(AT_THE_EDGE),
      runtime: FunctionRuntime.JS_2_0,
    })
    const passed = {
      origin,
      functionAssociations: [{ function: edge, eventType: FunctionEventType.VIEWER_REQUEST }],
      viewerProtocolPolicy: ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
      // With the host name, by which Akashi and the certificate of the load balancer are known.
      originRequestPolicy: OriginRequestPolicy.ALL_VIEWER,
    }
    const distribution = new Distribution(this, 'Distribution', {
      comment: props.hostName,
      domainNames: [props.hostName],
      certificate: Certificate.fromCertificateArn(this, 'Certificate', props.certificateArn),
      minimumProtocolVersion: SecurityPolicyProtocol.TLS_V1_2_2021,
      httpVersion: HttpVersion.HTTP2_AND_3,
      priceClass: PriceClass.PRICE_CLASS_200,
      geoRestriction: GeoRestriction.allowlist(...props.countries),
      defaultBehavior: {
        ...passed,
        allowedMethods: AllowedMethods.ALLOW_ALL,
        cachePolicy: CachePolicy.CACHING_DISABLED,
      },
      additionalBehaviors: { [ASSETS]: { ...passed, cachePolicy: CachePolicy.CACHING_OPTIMIZED } },
    })
    this.domainName = distribution.distributionDomainName
    acknowledge(distribution, {
      'AwsSolutions-CFR2':
        'The web ACL is at the load balancer; one of CloudFront would be in us-east-1, out of the data residency.',
      'AwsSolutions-CFR3':
        'The load balancer logs every request; logs of CloudFront would be delivered from us-east-1.',
    })
  }
}
