import { Button } from '@mantine/core'
import { IconHistory, IconLink } from '@tabler/icons-react'
import type { ReactNode } from 'react'
import { Link } from 'react-router'
import { SidePanel } from '../../ui/index.ts'
import { useTexts } from '../locales/index.ts'
import { exactly } from '../parts/exactly.ts'
import { PersonName } from '../parts/person-name.tsx'
import { Tag } from '../parts/tag.tsx'
import { Diff } from './diff.tsx'
import { ProofButton } from './proof-button.tsx'
import { actorOf, changesOf, type Row, recordPath, sentenceOf, tableOf } from './row.ts'
import classes from './row-panel.module.css'

interface RowPanelProps {
  readonly row: Row | null
  readonly onClose: () => void
}

/** All of one row of the trail: what, who, from where, and what proves it. */
export function RowPanel({ row, onClose }: RowPanelProps) {
  const t = useTexts()
  return (
    <SidePanel
      opened={row !== null}
      onClose={onClose}
      size="xl"
      title={row === null ? '' : sentenceOf(t, row)}
    >
      {row !== null && <Details row={row} />}
    </SidePanel>
  )
}

export function Details({ row }: { readonly row: Row }) {
  const t = useTexts()
  const changes = changesOf(row)
  const record = recordPath(row)
  return (
    <div className={classes['panel']}>
      <div className={classes['actions']}>
        {record !== null && (
          <Button
            component={Link}
            to={record}
            variant="default"
            size="xs"
            leftSection={<IconHistory size={15} aria-hidden />}
          >
            {t('audit.history')}
          </Button>
        )}
        {row.requestId !== null && (
          <Button
            component={Link}
            to={`/console/audit?requestId=${encodeURIComponent(row.requestId)}&period=90d`}
            variant="default"
            size="xs"
            leftSection={<IconLink size={15} aria-hidden />}
          >
            {t('audit.sameRequest')}
          </Button>
        )}
      </div>
      <dl className={classes['facts']}>
        <Fact term={t('audit.when')}>{exactly(row.createdAt)}</Fact>
        <Fact term={t('audit.who')}>
          {row.userId === null ? (
            <PersonName of={actorOf(row)} />
          ) : (
            <Link to={`/console/audit/people/${encodeURIComponent(row.userId)}`}>{row.userId}</Link>
          )}{' '}
          <Tag tone={row.contextVerified ? 'good' : 'warn'}>
            {t(row.contextVerified ? 'audit.verified' : 'audit.claimed')}
          </Tag>
        </Fact>
        {row.ipAddress !== null && (
          <Fact term={t('audit.from')}>
            <Link to={`/console/audit?address=${encodeURIComponent(row.ipAddress)}&period=90d`}>
              {row.ipAddress}
            </Link>
          </Fact>
        )}
        <Fact term={t('audit.agent')}>{row.userAgent}</Fact>
        <Fact term={t('audit.endpoint')}>{row.apiEndpoint}</Fact>
        <Fact term={t('audit.login')}>
          {row.dbUser}
          {row.applicationName !== null && ` · ${row.applicationName}`}
        </Fact>
        <Fact term={t('audit.table')}>{tableOf(row)}</Fact>
        <Fact term={t('audit.record')}>{row.recordId}</Fact>
        <Fact term={t('audit.subject')}>{row.dataSubject}</Fact>
        <Fact term={t('audit.result')}>{[row.result, row.errorMessage].filter(Boolean).join(': ')}</Fact>
        <Fact term={t('audit.classification')}>{row.classification}</Fact>
        <Fact term={t('audit.id')}>{row.id}</Fact>
      </dl>
      <ProofButton log="audit_logs" id={row.id} />
      {changes.length > 0 && <Diff label={t('audit.changes')} changes={changes} />}
      {row.detail !== null && <pre className={classes['detail']}>{JSON.stringify(row.detail, null, 2)}</pre>}
    </div>
  )
}

/** Leaves out what is not there. */
function Fact({ term, children }: { readonly term: string; readonly children: ReactNode }) {
  if (children === null || children === '') return null
  return (
    <div>
      <dt>{term}</dt>
      <dd>{children}</dd>
    </div>
  )
}
