import { Button, Slider, TextInput } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { call } from '../../api/index.ts'
import { moment } from '../../i18n/when.ts'
import { useTexts } from '../locales/index.ts'
import { bytes } from '../parts/bytes.ts'
import { exactly } from '../parts/exactly.ts'
import { Panel } from '../parts/screen.tsx'
import { ShowCommand } from '../parts/show-command.tsx'
import { Empty, Loaded } from '../parts/state.tsx'
import { backupsQuery } from '../queries.ts'
import { RestoreDialog } from './restore-dialog.tsx'
import classes from './restore-panel.module.css'

const SECOND_MS = 1_000
/** Milliseconds without a movement after which the plan for the chosen moment is asked for. */
const SETTLE_MS = 350

/** The window to which a restore can go, as a band on which a second is chosen. */
export function RestorePanel() {
  const t = useTexts()
  const backups = useQuery(backupsQuery)
  return (
    <Panel title={t('backups.window')} lead={t('backups.windowLead')}>
      <Loaded query={backups} rows={4}>
        {({ restorable: { from, to }, backups: list }) =>
          from === null || to === null ? (
            <Empty title={t('backups.noWindow')} detail={t('backups.noWindowDetail')} />
          ) : (
            <Band
              from={Date.parse(from)}
              to={Date.parse(to)}
              backups={list.map(({ stoppedAt }) => stoppedAt)}
            />
          )
        }
      </Loaded>
    </Panel>
  )
}

interface BandProps {
  /** Milliseconds since 1970. */
  readonly from: number
  readonly to: number
  readonly backups: readonly string[]
}

function Band({ from, to, backups }: BandProps) {
  const t = useTexts()
  const first = Math.ceil(from / SECOND_MS)
  const last = Math.max(first, Math.floor(to / SECOND_MS))
  const [chosen, setChosen] = useState<number | null>(null)
  const [opened, setOpened] = useState(false)
  const at = Math.min(Math.max(chosen ?? last, first), last)
  const [settled] = useDebouncedValue(at, SETTLE_MS)
  const moments = new Date(at * SECOND_MS).toISOString()
  const plan = useQuery({
    queryKey: ['console', 'restore-plan', settled],
    queryFn: ({ signal }) =>
      call('GET /v1/restores/plan', { query: { at: new Date(settled * SECOND_MS).toISOString() }, signal }),
    placeholderData: keepPreviousData,
  })
  return (
    <div className={classes['panel']}>
      <div className={classes['band']}>
        <Slider
          min={first}
          max={last}
          step={1}
          value={at}
          onChange={setChosen}
          size="xl"
          label={(value) => exactly(new Date(value * SECOND_MS).toISOString())}
          thumbLabel={t('backups.moment')}
          marks={backups.map((time) => ({ value: Math.round(Date.parse(time) / SECOND_MS) }))}
        />
        <div className={classes['ends']}>
          <span>{moment(new Date(from).toISOString())}</span>
          <span>{moment(new Date(to).toISOString())}</span>
        </div>
      </div>
      <div className={classes['choice']}>
        <TextInput
          type="datetime-local"
          step={1}
          label={t('backups.moment')}
          value={localInput(at * SECOND_MS)}
          min={localInput(from)}
          max={localInput(to)}
          onChange={(event) => {
            const typed = Date.parse(event.currentTarget.value)
            if (!Number.isNaN(typed)) setChosen(Math.floor(typed / SECOND_MS))
          }}
        />
        <Loaded query={plan} rows={2}>
          {({ chain, bytes: size, walBytes, timeline }) => (
            <dl className={classes['plan']}>
              <div>
                <dt>{t('backups.chain')}</dt>
                <dd>{chain.join(' → ')}</dd>
              </div>
              <div>
                <dt>{t('backups.toFetch')}</dt>
                <dd>
                  {t('backups.fetch', { backup: bytes(size), wal: bytes(walBytes) })} ·{' '}
                  {t('backups.timeline', { timeline })}
                </dd>
              </div>
            </dl>
          )}
        </Loaded>
      </div>
      <div className={classes['actions']}>
        <Button onClick={() => setOpened(true)}>{t('backups.restoreTable')}</Button>
        <ShowCommand
          cli={`akashi restore --at ${moments} --to DIRECTORY`}
          request={`GET /v1/restores/plan?at=${moments}`}
        />
      </div>
      <RestoreDialog at={moments} opened={opened} onClose={() => setOpened(false)} />
    </div>
  )
}

/** As an input of a local time takes it. */
function localInput(time: number): string {
  const MINUTE_MS = 60_000
  const local = new Date(time - new Date(time).getTimezoneOffset() * MINUTE_MS)
  return local.toISOString().slice(0, 'yyyy-mm-ddThh:mm:ss'.length)
}
