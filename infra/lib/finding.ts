/** An ARN as the findings of cdk-nag write it, where the account is that of whoever deploys. */
export function asInFindings(arn: string): string {
  return arn.replaceAll(/\$\{Token\[AWS\.(\w+)[^\]]*\]\}/g, '<AWS::$1>')
}
