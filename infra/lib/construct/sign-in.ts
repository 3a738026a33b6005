import {
  AccountRecovery,
  FeaturePlan,
  Mfa,
  OAuthScope,
  StandardThreatProtectionMode,
  UserPool,
  UserPoolClient,
} from 'aws-cdk-lib/aws-cognito'
import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib/core'
import { Construct } from 'constructs'

const PASSWORD_LENGTH = 12
const INVITATION = Duration.days(7)
const ACCESS = Duration.minutes(5)
const REFRESH = Duration.hours(1)

/** The OpenID provider: a second factor for everybody, accounts that administrators make. */
export class SignIn extends Construct {
  /** The value of OIDC_ISSUERS. */
  readonly issuers: string

  constructor(scope: Construct, id: string, { name, hostName }: { name: string; hostName: string }) {
    super(scope, id)
    const pool = new UserPool(this, 'Users', {
      userPoolName: name,
      selfSignUpEnabled: false,
      signInAliases: { email: true },
      signInCaseSensitive: false,
      autoVerify: { email: true },
      mfa: Mfa.REQUIRED,
      mfaSecondFactor: { otp: true, sms: false },
      passwordPolicy: {
        minLength: PASSWORD_LENGTH,
        requireLowercase: true,
        requireUppercase: true,
        requireDigits: true,
        requireSymbols: true,
        tempPasswordValidity: INVITATION,
      },
      accountRecovery: AccountRecovery.EMAIL_ONLY,
      featurePlan: FeaturePlan.PLUS,
      standardThreatProtectionMode: StandardThreatProtectionMode.FULL_FUNCTION,
      deletionProtection: true,
      removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    })
    pool.addDomain('Domain', { cognitoDomain: { domainPrefix: `${name}-${Stack.of(this).account}` } })
    const client = new UserPoolClient(this, 'Client', {
      userPool: pool,
      userPoolClientName: name,
      // A public client: PKCE takes the place of a secret.
      generateSecret: false,
      authFlows: {},
      oAuth: {
        flows: { authorizationCodeGrant: true, implicitCodeGrant: false, clientCredentials: false },
        scopes: [OAuthScope.OPENID, OAuthScope.EMAIL, OAuthScope.PROFILE],
        callbackUrls: [`https://${hostName}/v1/oidc/callback`],
        logoutUrls: [`https://${hostName}/`],
      },
      preventUserExistenceErrors: true,
      enableTokenRevocation: true,
      accessTokenValidity: ACCESS,
      idTokenValidity: ACCESS,
      refreshTokenValidity: REFRESH,
    })
    this.issuers = Stack.of(this).toJsonString([
      { name: 'cognito', issuer: pool.userPoolProviderUrl, clientId: client.userPoolClientId },
    ])
  }
}
