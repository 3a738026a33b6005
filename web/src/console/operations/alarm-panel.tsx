import type { Alarm } from '@akashi/contract'
import { Button, TextInput } from '@mantine/core'
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { call, useMay } from '../../api/index.ts'
import { currentLanguage } from '../../i18n/index.ts'
import { Dialog, SidePanel, showProblem } from '../../ui/index.ts'
import { useTexts } from '../locales/index.ts'
import { exactly } from '../parts/exactly.ts'
import { Fact, Facts } from '../parts/facts.tsx'
import { PersonName } from '../parts/person-name.tsx'
import { SeverityTag } from '../parts/severity-tag.tsx'
import { ShowCommand } from '../parts/show-command.tsx'
import { Tag } from '../parts/tag.tsx'
import { alarmsQuery, conditionsQuery, stateOf, stateTones, titleOf } from './alarm-queries.ts'
import classes from './panel.module.css'
import { Runbook } from './runbook.tsx'
import { SilenceForm } from './silence-form.tsx'

interface AlarmPanelProps {
  /** Id of an alarm; empty: none is open. */
  readonly id: string
  /** Name of a condition, shown without an alarm; empty: none. */
  readonly condition: string
  readonly onClose: () => void
}

/** An alarm, or what one is raised for: what was seen, what to do, who sees to it. */
export function AlarmPanel({ id, condition, onClose }: AlarmPanelProps) {
  const t = useTexts()
  const conditions = useQuery(conditionsQuery)
  const alarm = useAlarm(id)
  const name = alarm?.condition ?? condition
  const known = conditions.data?.conditions.find((each) => each.name === name)
  return (
    <SidePanel
      opened={alarm !== undefined || condition !== ''}
      onClose={onClose}
      size="lg"
      title={titleOf(conditions.data?.conditions, name)}
    >
      <div className={classes['panel']}>
        {alarm !== undefined && <Seen alarm={alarm} />}
        {known !== undefined && (
          <section aria-label={t('alarms.whatToDo')}>
            <h3 className={classes['heading']}>{t('alarms.whatToDo')}</h3>
            <p className={classes['text']}>{known.action[currentLanguage()]}</p>
          </section>
        )}
        {name !== '' && <Actions key={alarm?.id ?? name} alarm={alarm} condition={name} />}
        {known !== undefined && <Runbook name={known.name} page={known.runbook} />}
      </div>
    </SidePanel>
  )
}

/** The alarm of an id among those that the page has read. */
function useAlarm(id: string): Alarm | undefined {
  const open = useQuery({ ...alarmsQuery, enabled: id !== '' })
  const history = useInfiniteQuery({
    queryKey: ['console', 'alarms', 'history', ''],
    queryFn: ({ signal }) => call('GET /v1/alarms/history', { signal }),
    initialPageParam: null as string | null,
    getNextPageParam: ({ next }) => next,
    enabled: id !== '' && open.data !== undefined && !open.data.alarms.some((each) => each.id === id),
  })
  return [...(open.data?.alarms ?? []), ...(history.data?.pages.flatMap((page) => page.rows) ?? [])].find(
    (each) => each.id === id,
  )
}

function Seen({ alarm }: { readonly alarm: Alarm }) {
  const t = useTexts()
  const state = stateOf(alarm)
  return (
    <>
      <p className={classes['text']} lang="en">
        {alarm.detail}
      </p>
      <Facts>
        <Fact term={t('events.status')}>
          <SeverityTag severity={alarm.severity} />
          <Tag tone={stateTones[state]}>{t(`alarms.states.${state}`)}</Tag>
        </Fact>
        {alarm.subject !== '' && <Fact term={t('alarms.subject')}>{alarm.subject}</Fact>}
        <Fact term={t('alarms.since')}>{exactly(alarm.beganAt)}</Fact>
        <Fact term={t('alarms.lastSeen')}>{exactly(alarm.seenAt)}</Fact>
        {alarm.acknowledgedAt !== null && (
          <Fact term={t('alarms.states.acknowledged')}>
            {exactly(alarm.acknowledgedAt)}
            {alarm.acknowledgedBy !== null && <PersonName of={alarm.acknowledgedBy} />}
            {alarm.note !== null && <q>{alarm.note}</q>}
          </Fact>
        )}
        {alarm.clearedAt !== null && (
          <Fact term={t('alarms.states.cleared')}>{exactly(alarm.clearedAt)}</Fact>
        )}
      </Facts>
    </>
  )
}

interface ActionsProps {
  readonly alarm: Alarm | undefined
  readonly condition: string
}

function Actions({ alarm, condition }: ActionsProps) {
  const t = useTexts()
  const may = useMay()
  const queries = useQueryClient()
  const [note, setNote] = useState('')
  const [isSilencing, setSilencing] = useState(false)
  const acknowledge = useMutation({
    mutationFn: (id: string) =>
      call('POST /v1/alarms/{id}/acknowledge', {
        params: { id },
        body: note.trim() === '' ? {} : { note: note.trim() },
      }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['console', 'alarms'] }),
    onError: showProblem,
  })
  const canAcknowledge =
    may('monitoring:write') &&
    alarm !== undefined &&
    alarm.clearedAt === null &&
    alarm.acknowledgedAt === null
  return (
    <>
      {canAcknowledge && (
        <form
          onSubmit={(event) => {
            event.preventDefault()
            acknowledge.mutate(alarm.id)
          }}
        >
          <TextInput
            label={t('alarms.note')}
            description={t('alarms.noteDetail')}
            value={note}
            onChange={(event) => setNote(event.currentTarget.value)}
          />
          <Button mt="sm" size="xs" type="submit" loading={acknowledge.isPending}>
            {t('alarms.acknowledge')}
          </Button>
        </form>
      )}
      <div className={classes['actions']}>
        {may('monitoring:write') && (
          <Button size="xs" variant="default" onClick={() => setSilencing(true)}>
            {t('alarms.silence')}
          </Button>
        )}
        <ShowCommand
          cli={
            canAcknowledge
              ? `akashi alarms acknowledge ${alarm.id}`
              : `akashi alarms silence ${condition} --hours 4 --reason "…"`
          }
          request={canAcknowledge ? `POST /v1/alarms/${alarm.id}/acknowledge` : 'POST /v1/alarms/silences'}
        />
      </div>
      <Dialog opened={isSilencing} onClose={() => setSilencing(false)} title={t('alarms.silenceTitle')}>
        <SilenceForm
          condition={condition}
          subject={alarm?.subject ?? ''}
          onDone={() => setSilencing(false)}
        />
      </Dialog>
    </>
  )
}
