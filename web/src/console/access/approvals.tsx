import type { ResponseOf } from '@akashi/contract'
import { Button, Group } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { call, useMay, useSession } from '../../api/index.ts'
import { moment } from '../../i18n/when.ts'
import { showProblem } from '../../ui/index.ts'
import { useTexts } from '../locales/index.ts'
import { Panel } from '../parts/screen.tsx'
import { ShowCommand } from '../parts/show-command.tsx'
import { Empty, Loaded } from '../parts/state.tsx'
import { Tag, type Tone } from '../parts/tag.tsx'
import { approvalsQuery } from '../queries.ts'
import classes from './approvals.module.css'

type Approval = ResponseOf<'GET /v1/approvals'>['approvals'][number]

const tones: Readonly<Record<Approval['state'], Tone>> = {
  waiting: 'warn',
  approved: 'good',
  used: 'plain',
  withdrawn: 'plain',
  expired: 'plain',
}

/** What one person asked for and another has to approve. */
export function Approvals() {
  const t = useTexts()
  const approvals = useQuery(approvalsQuery)
  return (
    <Panel
      title={t('access.approvals')}
      lead={t('access.approvalsLead')}
      flush
      actions={<ShowCommand cli="akashi approvals list" request="GET /v1/approvals" />}
    >
      <Loaded query={approvals}>
        {({ approvals: list }) =>
          list.length === 0 ? (
            <Empty title={t('access.noApprovals')} detail={t('access.noApprovalsDetail')} />
          ) : (
            <ul className={classes['list']}>
              {list.map((approval) => (
                <Entry key={approval.id} approval={approval} />
              ))}
            </ul>
          )
        }
      </Loaded>
    </Panel>
  )
}

function Entry({ approval }: { readonly approval: Approval }) {
  const t = useTexts()
  const may = useMay()
  const { userId } = useSession()
  const queries = useQueryClient()
  const params = { id: approval.id }
  const decide = useMutation({
    mutationFn: (approve: boolean) =>
      approve
        ? call('POST /v1/approvals/{id}/confirm', { params })
        : call('DELETE /v1/approvals/{id}', { params }),
    onSuccess: () => queries.invalidateQueries({ queryKey: approvalsQuery.queryKey }),
    onError: showProblem,
  })
  const isMine = approval.requestedBy === userId || approval.approvedBy.includes(userId)
  return (
    <li className={classes['entry']}>
      <div className={classes['what']}>
        <div>
          <b>{t(`access.approvalActions.${approval.action}`)}</b> {approval.target}{' '}
          <Tag tone={tones[approval.state]}>{t(`access.approvalStates.${approval.state}`)}</Tag>
        </div>
        <div className={classes['reason']}>{approval.reason}</div>
        <div className={classes['reason']}>
          {t('access.requested', { by: approval.requestedBy, when: moment(approval.requestedAt) })} ·{' '}
          {t('access.approving', { now: approval.approving, all: approval.people })}
        </div>
      </div>
      {approval.state === 'waiting' && may('approvals:write') && (
        <Group gap="xs">
          {!isMine && (
            <Button size="xs" loading={decide.isPending} onClick={() => decide.mutate(true)}>
              {t('access.approve')}
            </Button>
          )}
          <Button size="xs" variant="default" loading={decide.isPending} onClick={() => decide.mutate(false)}>
            {t(isMine ? 'access.withdraw' : 'access.refuse')}
          </Button>
        </Group>
      )}
    </li>
  )
}
