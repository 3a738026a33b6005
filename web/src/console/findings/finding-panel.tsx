import { findingStates, type ResponseOf } from '@akashi/contract'
import { Button, Select, Textarea } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'react-router'
import { call, useMay } from '../../api/index.ts'
import { currentLanguage } from '../../i18n/index.ts'
import { download, SidePanel, showMessage, showProblem } from '../../ui/index.ts'
import classes from '../audit/row-panel.module.css'
import { useTexts } from '../locales/index.ts'
import { exactly } from '../parts/exactly.ts'
import { PersonName } from '../parts/person-name.tsx'
import { SeverityTag } from '../parts/severity-tag.tsx'
import { Loaded } from '../parts/state.tsx'
import own from './finding-panel.module.css'
import { FindingTag, findingOptions } from './finding-state.tsx'

interface FindingPanelProps {
  /** Empty: none is open. */
  readonly id: string
  readonly onClose: () => void
}

/** A finding: what it is about, its events in order, and the verdict. */
export function FindingPanel({ id, onClose }: FindingPanelProps) {
  const finding = useQuery({
    queryKey: ['console', 'finding', id],
    queryFn: ({ signal }) => call('GET /v1/detection/findings/{id}', { params: { id }, signal }),
    enabled: id !== '',
  })
  const isJapanese = currentLanguage() === 'ja'
  const title = (isJapanese ? finding.data?.titleJa : null) ?? finding.data?.title ?? ''
  return (
    <SidePanel opened={id !== ''} onClose={onClose} size="xl" title={title}>
      {id !== '' && <Loaded query={finding}>{(data) => <Details key={data.id} finding={data} />}</Loaded>}
    </SidePanel>
  )
}

type Finding = ResponseOf<'GET /v1/detection/findings/{id}'>

function Details({ finding }: { readonly finding: Finding }) {
  const t = useTexts()
  const description = (currentLanguage() === 'ja' ? finding.descriptionJa : null) ?? finding.description
  const bundle = useMutation({
    mutationFn: () => call('GET /v1/detection/findings/{id}/bundle', { params: { id: finding.id } }),
    onSuccess: (data) =>
      download(`finding-${finding.id}.json`, 'application/json', JSON.stringify(data, null, 2)),
    onError: showProblem,
  })
  return (
    <div className={classes['panel']}>
      {description !== null && <p className={own['description']}>{description}</p>}
      <dl className={classes['facts']}>
        <div>
          <dt>{t('events.severity')}</dt>
          <dd>
            <SeverityTag severity={finding.severity} /> <FindingTag state={finding.status} />
          </dd>
        </div>
        <div>
          <dt>{t('findings.rule')}</dt>
          <dd>
            <Link to={`/console/findings/rules?open=${encodeURIComponent(finding.rule)}`}>
              {finding.rule}
            </Link>
          </dd>
        </div>
        <div>
          <dt>{t('findings.entity')}</dt>
          <dd>
            <Link to={`/console/findings?entity=${encodeURIComponent(finding.entity)}`}>
              <PersonName of={finding.entity} />
            </Link>
          </dd>
        </div>
        <div>
          <dt>ATT&amp;CK</dt>
          <dd>{finding.attack.join(', ') || '–'}</dd>
        </div>
        <div>
          <dt>{t('findings.span')}</dt>
          <dd>
            {exactly(finding.firstAt)} – {exactly(finding.lastAt)}
          </dd>
        </div>
        <div>
          <dt>{t('findings.due')}</dt>
          <dd>{exactly(finding.dueAt)}</dd>
        </div>
      </dl>
      <Verdict finding={finding} />
      <section aria-label={t('findings.evidence')}>
        <h3 className={own['heading']}>{t('findings.evidence')}</h3>
        <ol className={own['events']}>
          {finding.evidence.map((event) => (
            <li key={String(event['id'])}>
              <time>{exactly(String(event['created_at'] ?? event['createdAt']))}</time>
              <span>{String(event['event_type'] ?? event['action'] ?? '')}</span>
              <span className={own['from']}>
                {[event['user_name'] ?? event['user_id'], event['source_ip'] ?? event['ip_address']]
                  .filter((part) => part !== null && part !== undefined)
                  .join(' · ')}
              </span>
            </li>
          ))}
        </ol>
        {finding.archived.length > 0 && <p>{t('findings.archived', { count: finding.archived.length })}</p>}
      </section>
      <div>
        <Button size="xs" variant="default" loading={bundle.isPending} onClick={() => bundle.mutate()}>
          {t('findings.bundle')}
        </Button>
      </div>
    </div>
  )
}

function Verdict({ finding }: { readonly finding: Finding }) {
  const t = useTexts()
  const { t: shell } = useTranslation()
  const may = useMay()
  const queries = useQueryClient()
  const [status, setStatus] = useState(finding.status)
  const [notes, setNotes] = useState(finding.notes ?? '')
  const save = useMutation({
    mutationFn: () =>
      call('PATCH /v1/detection/findings/{id}', {
        params: { id: finding.id },
        body: { status, notes: notes === '' ? null : notes },
      }),
    onSuccess: async () => {
      showMessage(shell('common.saved'))
      await queries.invalidateQueries({ queryKey: ['console'] })
    },
    onError: showProblem,
  })
  if (!may('events:write')) return null
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        save.mutate()
      }}
    >
      <Select
        label={t('findings.verdict')}
        description={t('findings.verdictDetail')}
        allowDeselect={false}
        data={findingOptions(t)}
        value={status}
        onChange={(value) => setStatus(findingStates.find((state) => state === value) ?? status)}
      />
      <Textarea
        mt="sm"
        label={t('events.notes')}
        autosize
        minRows={2}
        maxRows={10}
        value={notes}
        onChange={(event) => setNotes(event.currentTarget.value)}
      />
      <Button
        mt="sm"
        size="xs"
        type="submit"
        loading={save.isPending}
        disabled={status === finding.status && notes === (finding.notes ?? '')}
      >
        {shell('common.save')}
      </Button>
    </form>
  )
}
