import type { AccessReviewItem, AccessRight } from '@akashi/contract'
import type { Command } from 'commander'
import type { Perform, Register } from '../invocation.ts'

export const accessReview: Register = (program, perform) => {
  const group = program
    .command('access-review')
    .description('who holds which role and key, and its quarterly review: rights, list, show, open')
  rights(group, perform)
  reviews(group, perform)
  show(group, perform)
  open(group, perform)
}

const day = (time: string | null) => time?.slice(0, 10) ?? 'never'

const columns = (right: AccessRight | AccessReviewItem) => [
  right.tier,
  right.holder ?? 'erased',
  right.kind,
  right.title,
  day(right.grantedAt),
  day(right.lastUsedAt),
  right.givenBy,
]
const headings = ['tier', 'holder', 'kind', 'right', 'since', 'last used', 'given by'] as const

function rights(group: Command, perform: Perform): void {
  group
    .command('rights', { isDefault: true })
    .description('list every role and key currently held; this read access is recorded')
    .action(() =>
      perform(async (cli) => {
        const { listAccessRights } = await import('../../identity/index.ts')
        const { withSignedConnections } = await import('../databases.ts')
        const { table } = await import('../output/table.ts')
        const found = await withSignedConnections(cli, ({ pool, actor }) =>
          listAccessRights(pool('owner'), actor),
        )
        cli.print({ rights: found }, table([...headings], found.map(columns)))
        return 0
      }),
    )
}

function reviews(group: Command, perform: Perform): void {
  group
    .command('list')
    .description('list the reviews, newest first; exits 1 while one is overdue')
    .action(() =>
      perform(async (cli) => {
        const { listAccessReviews } = await import('../../identity/index.ts')
        const { withSignedConnections } = await import('../databases.ts')
        const { table } = await import('../output/table.ts')
        const found = await withSignedConnections(cli, ({ pool, actor }) =>
          listAccessReviews(pool('owner'), actor),
        )
        const late = found.some(({ open: left, dueAt }) => left > 0 && Date.parse(dueAt) < Date.now())
        cli.print(
          { reviews: found },
          found.length === 0
            ? 'no review yet; a job opens one each quarter, akashi access-review open opens one now'
            : table(
                ['review', 'opened', 'due', 'rights', 'open', 'kept', 'revoked', 'completed'],
                found.map((each) => [
                  each.id,
                  day(each.openedAt),
                  day(each.dueAt),
                  each.items,
                  each.open,
                  each.kept,
                  each.revoked,
                  each.completedAt ?? 'open',
                ]),
              ),
        )
        return late ? 1 : 0
      }),
    )
}

function show(group: Command, perform: Perform): void {
  group
    .command('show')
    .argument('<review>', 'as listed by akashi access-review list')
    .description('list the rights of a review with the decisions; people sign them off over HTTP, signed in')
    .action((id: string) =>
      perform(async (cli) => {
        const { readAccessReview } = await import('../../identity/index.ts')
        const { withSignedConnections } = await import('../databases.ts')
        const { table } = await import('../output/table.ts')
        const items = await withSignedConnections(cli, ({ pool, actor }) =>
          readAccessReview(pool('owner'), actor, id),
        )
        cli.print(
          { items },
          table(
            ['item', ...headings, 'decision', 'by', 'reason'],
            items.map((item) => [
              item.id,
              ...columns(item),
              item.decision ?? (item.ended ? 'ended' : 'open'),
              item.decidedBy,
              item.reason,
            ]),
          ),
        )
        return 0
      }),
    )
}

function open(group: Command, perform: Perform): void {
  group
    .command('open')
    .description('open a review now, of every role and key currently held')
    .action(() =>
      perform(async (cli) => {
        const { openAccessReview } = await import('../../identity/index.ts')
        const { withSignedConnections } = await import('../databases.ts')
        const id = await withSignedConnections(cli, ({ pool, actor }) =>
          openAccessReview(pool('owner'), actor),
        )
        cli.print({ id }, `opened ${id}; people sign it off over HTTP: akashi access-review show ${id}`)
        return 0
      }),
    )
}
