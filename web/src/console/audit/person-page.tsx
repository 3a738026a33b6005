import { Button } from '@mantine/core'
import { IconArrowLeft } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { useMemo } from 'react'
import { Link, useParams } from 'react-router'
import { call, useMay } from '../../api/index.ts'
import { moment } from '../../i18n/when.ts'
import { useTexts } from '../locales/index.ts'
import { useFilters } from '../parts/filters.ts'
import { boundsOf } from '../parts/period.ts'
import { Columns, Panel, Screen } from '../parts/screen.tsx'
import { ShowCommand } from '../parts/show-command.tsx'
import { Loaded } from '../parts/state.tsx'
import { Tag } from '../parts/tag.tsx'
import { OpenRow } from './open-row.tsx'
import classes from './row-panel.module.css'
import { TrailTable, useTrail } from './trail-table.tsx'

/** What a person did, and what was done to what is about them. */
export function PersonPage() {
  const t = useTexts()
  const may = useMay()
  const { userId = '' } = useParams()
  const [{ row: openId }, change] = useFilters(['row'])
  const { from, to } = useMemo(() => boundsOf('90d'), [])
  const did = useTrail({ userId, from, to })
  const about = useTrail({ dataSubject: userId, from, to })
  const user = useQuery({
    queryKey: ['console', 'user', userId],
    queryFn: ({ signal }) => call('GET /v1/users/{id}', { params: { id: userId }, signal }),
    enabled: may('users:read'),
  })
  const roles = useQuery({
    queryKey: ['console', 'user', userId, 'roles'],
    queryFn: ({ signal }) => call('GET /v1/users/{userId}/roles', { params: { userId }, signal }),
    enabled: may('roles:read'),
  })
  const rows = [did, about].flatMap(({ data }) => data?.pages.flatMap((page) => page.rows) ?? [])
  return (
    <Screen
      title={user.data?.displayName ?? user.data?.username ?? t('audit.person')}
      lead={userId}
      actions={
        <>
          <Button
            component={Link}
            to="/console/audit"
            variant="default"
            size="xs"
            leftSection={<IconArrowLeft size={15} aria-hidden />}
          >
            {t('nav.audit')}
          </Button>
          <ShowCommand
            cli={`akashi audit search --user ${userId}`}
            request={`GET /v1/audit/logs?userId=${userId}`}
          />
        </>
      }
    >
      {may('users:read') && (
        <Panel title={t('audit.account')}>
          <Loaded query={user} rows={3}>
            {({ username, status, lastLoginAt, createdAt }) => (
              <dl className={classes['facts']}>
                <div>
                  <dt>{t('access.username')}</dt>
                  <dd>{username}</dd>
                </div>
                <div>
                  <dt>{t('access.status')}</dt>
                  <dd>
                    <Tag tone={status === 'active' ? 'good' : 'warn'}>{t(`access.statuses.${status}`)}</Tag>
                  </dd>
                </div>
                {roles.data !== undefined && (
                  <div>
                    <dt>{t('access.roles')}</dt>
                    <dd>{roles.data.roles.map(({ role }) => role).join(', ') || t('common.none')}</dd>
                  </div>
                )}
                <div>
                  <dt>{t('access.lastLogin')}</dt>
                  <dd>{lastLoginAt === null ? t('common.never') : moment(lastLoginAt)}</dd>
                </div>
                <div>
                  <dt>{t('access.created')}</dt>
                  <dd>{moment(createdAt)}</dd>
                </div>
              </dl>
            )}
          </Loaded>
        </Panel>
      )}
      <Columns>
        <Panel title={t('audit.didTitle')} lead={t('period.90d')} flush>
          <TrailTable trail={did} openId={openId} onOpen={({ id }) => change({ row: id })} />
        </Panel>
        <Panel title={t('audit.aboutTitle')} lead={t('period.90d')} flush>
          <TrailTable trail={about} openId={openId} onOpen={({ id }) => change({ row: id })} />
        </Panel>
      </Columns>
      <OpenRow id={openId} rows={rows} onClose={() => change({ row: '' })} />
    </Screen>
  )
}
