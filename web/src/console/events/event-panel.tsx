import { useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { Link } from 'react-router'
import { call, useMay } from '../../api/index.ts'
import { SidePanel } from '../../ui/index.ts'
import { ProofButton } from '../audit/proof-button.tsx'
import classes from '../audit/row-panel.module.css'
import { useTexts } from '../locales/index.ts'
import { exactly } from '../parts/exactly.ts'
import { SeverityTag } from '../parts/severity-tag.tsx'
import { Loaded } from '../parts/state.tsx'
import { severityNamed } from '../severities.ts'
import { type EventRow, eventOf } from './event.ts'
import { Remediation } from './remediation.tsx'

interface EventPanelProps {
  /** Empty: none is open. */
  readonly id: string
  readonly onClose: () => void
}

/** One event: what happened, to whom, and what is done about it. */
export function EventPanel({ id, onClose }: EventPanelProps) {
  const event = useQuery({
    queryKey: ['console', 'event', id],
    queryFn: async ({ signal }) => eventOf(await call('GET /v1/events/{id}', { params: { id }, signal })),
    enabled: id !== '',
  })
  return (
    <SidePanel opened={id !== ''} onClose={onClose} size="xl" title={event.data?.type ?? ''}>
      {id !== '' && <Loaded query={event}>{(data) => <Details key={data.id} event={data} />}</Loaded>}
    </SidePanel>
  )
}

function Details({ event }: { readonly event: EventRow }) {
  const t = useTexts()
  const may = useMay()
  const { severity, userId, requestId, address } = event
  return (
    <div className={classes['panel']}>
      {event.description !== null && <p>{event.description}</p>}
      <dl className={classes['facts']}>
        <Fact term={t('audit.when')}>{exactly(event.createdAt)}</Fact>
        <Fact term={t('events.severity')}>
          <SeverityTag severity={severityNamed(severity)} />
        </Fact>
        <Fact term={t('events.category')}>{event.category}</Fact>
        <Fact term={t('events.service')}>{event.service}</Fact>
        <Fact term={t('audit.who')}>
          {userId !== null && may('audit_logs:read') ? (
            <Link to={`/console/audit/people/${encodeURIComponent(userId)}`}>{event.userName ?? userId}</Link>
          ) : (
            (event.userName ?? event.externalUserId)
          )}
        </Fact>
        <Fact term={t('audit.from')}>
          {address !== null && (
            <Link to={`/console/events?address=${encodeURIComponent(address)}&period=90d`}>{address}</Link>
          )}
        </Fact>
        <Fact term={t('audit.agent')}>{event.userAgent}</Fact>
        <Fact term={t('audit.result')}>{event.result}</Fact>
        <Fact term={t('audit.sameRequest')}>
          {requestId !== null && may('audit_logs:read') && (
            <Link to={`/console/audit?requestId=${encodeURIComponent(requestId)}&period=90d`}>
              {requestId}
            </Link>
          )}
        </Fact>
        <Fact term={t('audit.id')}>{event.id}</Fact>
      </dl>
      <Remediation event={event} />
      <ProofButton log="security_events" id={event.id} />
      <pre className={classes['detail']}>{JSON.stringify(event.details, null, 2)}</pre>
    </div>
  )
}

/** Leaves out what is not there. */
function Fact({ term, children }: { readonly term: string; readonly children: ReactNode }) {
  if (children === null || children === false || children === undefined || children === '') return null
  return (
    <div>
      <dt>{term}</dt>
      <dd>{children}</dd>
    </div>
  )
}
