import type { App } from 'aws-cdk-lib/core'

/** One of the feature flags of cdk.json, and its value there. */
const FLAG = '@aws-cdk/core:defaultCrossStackReferences'
const VALUE = 'weak'

/** Throws an Error when the app was started past the command line, and would make other templates without a word. */
export function checkContext(app: App): void {
  if (app.node.tryGetContext(FLAG) === VALUE) return
  throw new Error('the feature flags of cdk.json are missing; hint: npx cdk synth, in the folder infra')
}
