import { CfnBudget } from 'aws-cdk-lib/aws-budgets'
import type { Construct } from 'constructs'

/** Percent of the budget. */
const NOTIFIED = [
  { notificationType: 'ACTUAL', threshold: 80 },
  { notificationType: 'ACTUAL', threshold: 100 },
  { notificationType: 'FORECASTED', threshold: 100 },
]

export interface BudgetProps {
  readonly name: string
  /** US dollars a month. */
  readonly amount: number
  readonly topicArn: string
}

/**
 * Of the whole account: a budget of the tags of one environment counts nothing until somebody activates them as cost
 * allocation tags, and says nothing of what nobody tagged.
 */
export function budget(scope: Construct, id: string, { name, amount, topicArn }: BudgetProps): CfnBudget {
  return new CfnBudget(scope, id, {
    budget: {
      budgetName: name,
      budgetType: 'COST',
      timeUnit: 'MONTHLY',
      budgetLimit: { amount, unit: 'USD' },
    },
    notificationsWithSubscribers: NOTIFIED.map((notification) => ({
      notification: { ...notification, comparisonOperator: 'GREATER_THAN', thresholdType: 'PERCENTAGE' },
      subscribers: [{ subscriptionType: 'SNS', address: topicArn }],
    })),
  })
}
