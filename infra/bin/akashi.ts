import { App, Validations } from 'aws-cdk-lib/core'
import { AwsSolutionsChecks, NIST80053R5Checks } from 'cdk-nag'
import { checkContext } from '../lib/check-context.ts'
import { checkTogether } from '../lib/check-parameter.ts'
import { addEnvironment } from '../lib/environment.ts'
import { environments } from '../parameter.ts'

const app = new App()
checkContext(app)
checkTogether(environments)
for (const parameter of environments) addEnvironment(app, parameter)
Validations.of(app).addPlugins(new AwsSolutionsChecks(app), new NIST80053R5Checks(app))
