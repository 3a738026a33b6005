import { accountStatuses, type ResponseOf } from '@akashi/contract'
import { Button, Group } from '@mantine/core'
import {
  keepPreviousData,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
} from '@tanstack/react-query'
import { useState } from 'react'
import { Link } from 'react-router'
import { call, useMay } from '../../api/index.ts'
import { ago, moment } from '../../i18n/when.ts'
import { ConfirmDialog, SidePanel } from '../../ui/index.ts'
import classes from '../audit/row-panel.module.css'
import { useTexts } from '../locales/index.ts'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { ExportMenu } from '../parts/export-menu.tsx'
import { Choice, FilterBar, Words } from '../parts/filter-bar.tsx'
import { useFilters } from '../parts/filters.ts'
import { Panel } from '../parts/screen.tsx'
import { Empty, Loaded } from '../parts/state.tsx'
import { Tag, type Tone } from '../parts/tag.tsx'

const PAGE_ROWS = 100

type User = ResponseOf<'GET /v1/users'>['users'][number]

const tones: Readonly<Record<User['status'], Tone>> = {
  active: 'good',
  inactive: 'plain',
  suspended: 'warn',
  deleted: 'plain',
}

/** Accounts, what they hold, and where they are signed in. */
export function Users() {
  const t = useTexts()
  const [filters, change] = useFilters(['status', 'prefix', 'user'])
  const status = accountStatuses.find((each) => each === filters.status)
  const query = {
    ...(status === undefined ? {} : { status }),
    ...(filters.prefix === '' ? {} : { usernamePrefix: filters.prefix }),
  }
  const users = useInfiniteQuery({
    queryKey: ['console', 'users', query],
    queryFn: ({ pageParam, signal }) =>
      call('GET /v1/users', {
        query: { ...query, limit: PAGE_ROWS, ...(pageParam === null ? {} : { cursor: pageParam }) },
        signal,
      }),
    initialPageParam: null as string | null,
    getNextPageParam: ({ next }) => next,
    placeholderData: keepPreviousData,
  })
  const rows = users.data?.pages.flatMap((page) => page.users) ?? []
  const columns: readonly Column<User>[] = [
    { id: 'name', title: t('access.username'), width: 'minmax(9rem, 1fr)', cell: ({ username }) => username },
    {
      id: 'shown',
      title: t('access.name'),
      width: 'minmax(9rem, 1fr)',
      cell: ({ displayName }) => displayName ?? '–',
    },
    {
      id: 'email',
      title: t('access.email'),
      width: 'minmax(12rem, 1.4fr)',
      cell: ({ email }) => email ?? '–',
    },
    {
      id: 'status',
      title: t('access.status'),
      width: '7rem',
      cell: (user) => <Tag tone={tones[user.status]}>{t(`access.statuses.${user.status}`)}</Tag>,
    },
    {
      id: 'last',
      title: t('access.lastLogin'),
      width: '10rem',
      end: true,
      cell: ({ lastLoginAt }) => (lastLoginAt === null ? t('common.never') : ago(lastLoginAt)),
    },
  ]
  return (
    <>
      <FilterBar
        onClear={
          filters.status + filters.prefix === '' ? undefined : () => change({ status: '', prefix: '' })
        }
      >
        <Words label={t('access.find')} value={filters.prefix} onSearch={(prefix) => change({ prefix })} />
        <Choice
          label={t('access.status')}
          value={filters.status}
          options={accountStatuses.map((value) => ({ value, label: t(`access.statuses.${value}`) }))}
          onChange={(value) => change({ status: value })}
        />
      </FilterBar>
      <Panel
        title={t('access.users')}
        flush
        actions={
          <ExportMenu
            name="users"
            rows={rows}
            columns={(
              [
                'username',
                'displayName',
                'email',
                'status',
                'classification',
                'issuer',
                'lastLoginAt',
                'createdAt',
                'id',
              ] as const
            ).map((name) => ({ name, value: (row: User) => row[name] }))}
          />
        }
      >
        <Loaded query={users} rows={6}>
          {() =>
            rows.length === 0 ? (
              <Empty title={t('access.noUsers')} />
            ) : (
              <DataTable
                label={t('access.users')}
                minWidth="56rem"
                columns={columns}
                rows={rows}
                rowKey={({ id }) => id}
                onOpen={({ id }) => change({ user: id })}
                isOpen={({ id }) => id === filters.user}
                footer={
                  <>
                    <span>{t('common.rows', { count: rows.length })}</span>
                    {users.hasNextPage && (
                      <Button
                        variant="default"
                        size="xs"
                        loading={users.isFetchingNextPage}
                        onClick={() => void users.fetchNextPage()}
                      >
                        {t('common.more')}
                      </Button>
                    )}
                  </>
                }
              />
            )
          }
        </Loaded>
      </Panel>
      <UserPanel
        user={rows.find(({ id }) => id === filters.user) ?? null}
        onClose={() => change({ user: '' })}
      />
    </>
  )
}

interface UserPanelProps {
  readonly user: User | null
  readonly onClose: () => void
}

function UserPanel({ user, onClose }: UserPanelProps) {
  return (
    <SidePanel opened={user !== null} onClose={onClose} size="lg" title={user?.username ?? ''}>
      {user !== null && <Holdings key={user.id} user={user} />}
    </SidePanel>
  )
}

function Holdings({ user }: { readonly user: User }) {
  const t = useTexts()
  const may = useMay()
  const queries = useQueryClient()
  const [asking, setAsking] = useState(false)
  const roles = useQuery({
    queryKey: ['console', 'user', user.id, 'roles'],
    queryFn: ({ signal }) => call('GET /v1/users/{userId}/roles', { params: { userId: user.id }, signal }),
    enabled: may('roles:read'),
  })
  const sessions = useQuery({
    queryKey: ['console', 'user', user.id, 'sessions'],
    queryFn: ({ signal }) => call('GET /v1/users/{id}/sessions', { params: { id: user.id }, signal }),
    enabled: may('sessions:read'),
  })
  const end = useMutation({
    mutationFn: () => call('DELETE /v1/users/{id}/sessions', { params: { id: user.id } }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['console', 'user', user.id] }),
  })
  return (
    <div className={classes['panel']}>
      <Group gap="xs">
        {may('audit_logs:read') && (
          <Button component={Link} to={`/console/audit/people/${user.id}`} variant="default" size="xs">
            {t('access.activity')}
          </Button>
        )}
        {may('sessions:delete') && (
          <Button variant="default" size="xs" onClick={() => setAsking(true)}>
            {t('access.endSessions')}
          </Button>
        )}
      </Group>
      <dl className={classes['facts']}>
        <div>
          <dt>{t('access.email')}</dt>
          <dd>{user.email ?? '–'}</dd>
        </div>
        <div>
          <dt>{t('audit.classification')}</dt>
          <dd>{user.classification}</dd>
        </div>
        <div>
          <dt>{t('access.created')}</dt>
          <dd>{moment(user.createdAt)}</dd>
        </div>
        {roles.data?.roles.map(({ role, assignedAt, assignedBy, expiresAt, inForce }) => (
          <div key={role}>
            <dt>{role}</dt>
            <dd>
              <Tag tone={inForce ? 'good' : 'plain'}>{t(inForce ? 'access.inForce' : 'access.ended')}</Tag>{' '}
              {t('access.granted', { when: moment(assignedAt), by: assignedBy ?? '–' })}
              {expiresAt !== null && ` · ${t('access.until', { when: moment(expiresAt) })}`}
            </dd>
          </div>
        ))}
        {sessions.data?.sessions.map(({ id, ipAddress, userAgent, lastActivity }) => (
          <div key={id}>
            <dt>{t('access.session')}</dt>
            <dd>
              {[ipAddress, userAgent].filter(Boolean).join(' · ')} · {ago(lastActivity)}
            </dd>
          </div>
        ))}
      </dl>
      <ConfirmDialog
        opened={asking}
        title={t('access.endSessionsOf', { name: user.username })}
        detail={t('access.endSessionsDetail')}
        action={t('access.endSessions')}
        onConfirm={() => end.mutateAsync()}
        onClose={() => setAsking(false)}
      />
    </div>
  )
}
