import { SegmentedControl } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useMay } from '../../api/index.ts'
import { ago } from '../../i18n/when.ts'
import { useTexts } from '../locales/index.ts'
import { useFilters } from '../parts/filters.ts'
import { statusQuery } from '../queries.ts'
import { AlarmHistory } from './alarm-history.tsx'
import { AlarmPanel } from './alarm-panel.tsx'
import { alarmsQuery } from './alarm-queries.ts'
import classes from './alarms.module.css'
import { Conditions } from './conditions.tsx'
import { OpenAlarms } from './open-alarms.tsx'
import { Silences } from './silences.tsx'

const views = ['open', 'history', 'silences', 'watched'] as const

/** What is wrong now, what was, what is silenced, and what is watched. */
export function Alarms() {
  const t = useTexts()
  const may = useMay()
  const [filters, change] = useFilters(['view', 'alarm', 'condition'])
  const view = views.find((each) => each === filters.view) ?? 'open'
  const open = useQuery(alarmsQuery)
  const status = useQuery({ ...statusQuery, enabled: may('ledger:read') })
  const lookedAt = status.data?.alarmsLookedAt
  return (
    <>
      <div className={classes['head']}>
        <SegmentedControl
          aria-label={t('alarms.title')}
          value={view}
          onChange={(value) => change({ view: value === 'open' ? '' : value, condition: '' })}
          data={views.map((value) => ({
            value,
            label:
              value === 'open' && (open.data?.alarms.length ?? 0) > 0
                ? `${t('alarms.views.open')} ${open.data?.alarms.length}`
                : t(`alarms.views.${value}`),
          }))}
        />
        {lookedAt != null && (
          <span className={classes['looked']}>{t('alarms.lookedAt', { when: ago(lookedAt) })}</span>
        )}
      </div>
      {view === 'open' && <OpenAlarms />}
      {view === 'history' && <AlarmHistory />}
      {view === 'silences' && <Silences />}
      {view === 'watched' && <Conditions />}
      <AlarmPanel
        id={filters.alarm}
        condition={view === 'watched' ? filters.condition : ''}
        onClose={() => change(view === 'watched' ? { alarm: '', condition: '' } : { alarm: '' })}
      />
    </>
  )
}
