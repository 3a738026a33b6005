/** Settings that protect nothing: their change alters no right, no encryption, no reach and no retention. */
export const unprotected: readonly { readonly setting: RegExp; readonly reason: string }[] = [
  {
    setting: /Properties\/Tags\/(Name|aws-cdk:subnet-name|aws-cdk:subnet-type)(\/|$)/,
    reason: 'Names for people; the checks tell subnets by their routes.',
  },
  {
    setting: /Properties\/(Group|DBSubnetGroup|Framework|Alarm)?Description$/,
    reason: 'Text for people. Those that the requirements give have a check.',
  },
  {
    setting: /Properties\/(.*\/)?(PolicyName|RuleName|SelectionName|FrameworkName|ReportPlanName)$/,
    reason: 'A name that nothing refers to.',
  },
  {
    setting: /Properties\/RestoreTestingSelectionName$/,
    reason: 'A name that nothing refers to.',
  },
  { setting: /\(AWS::Events::Rule\): Properties\/Targets\/0\/Id$/, reason: 'A name within the rule.' },
  { setting: /\(AWS::IAM::ManagedPolicy\): Properties\/Path$/, reason: 'A name; no right follows from it.' },
  {
    setting:
      /^Custom::VpcRestrictDefaultSG.*\(AWS::Lambda::Function\): Properties\/(Code\/.*|Handler|Runtime|Timeout|MemorySize)$/,
    reason: 'The code that the CDK brings for this purpose, named by its digest.',
  },
  {
    setting:
      /\((Custom::VpcRestrictDefaultSG|AWS::StepFunctions::StateMachine)\): (Deletion|UpdateReplace)Policy$/,
    reason: 'Neither holds data.',
  },
  {
    setting: /\(AWS::StepFunctions::StateMachine\): .*\/(Retry\/.*|Retry|MaxAttempts|Wait\/Seconds)$/,
    reason: 'How often is asked again.',
  },
  {
    setting: /\(AWS::Lambda::Function\): Properties\/Code(\/|$)/,
    reason: 'Code, named by its digest; the tests of the handlers run it.',
  },
  {
    setting: /\): Properties\/(UserPool|FileSystem|AccessPoint)Tags\/Name(\/|$)/,
    reason: 'Names for people.',
  },
  {
    setting: /\): (Deletion|UpdateReplace)Policy$/,
    reason: 'What is deleted with its stack holds no data; what holds data has a check that it is kept.',
  },
  {
    setting: /\): DependsOn(\/|$)/,
    reason: 'Order of creation, without which the deployment fails instead of leaving something open.',
  },
]
