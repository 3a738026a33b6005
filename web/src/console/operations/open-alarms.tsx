import { alarmSeverities } from '@akashi/contract'
import { useQuery } from '@tanstack/react-query'
import { useTexts } from '../locales/index.ts'
import { ExportMenu } from '../parts/export-menu.tsx'
import { Choice, FilterBar } from '../parts/filter-bar.tsx'
import { useFilters } from '../parts/filters.ts'
import { Panel } from '../parts/screen.tsx'
import { ShowCommand } from '../parts/show-command.tsx'
import { Empty, Loaded } from '../parts/state.tsx'
import { alarmStates, alarmsQuery, stateOf } from './alarm-queries.ts'
import { AlarmTable, alarmExport } from './alarm-table.tsx'

/** Open alarms, the most severe first. */
export function OpenAlarms() {
  const t = useTexts()
  const [filters, change] = useFilters(['severity', 'state'])
  const alarms = useQuery(alarmsQuery)
  const all = alarms.data?.alarms ?? []
  const rows = all.filter(
    (alarm) =>
      (filters.severity === '' || alarm.severity === filters.severity) &&
      (filters.state === '' || stateOf(alarm) === filters.state),
  )
  const isNarrowed = filters.severity !== '' || filters.state !== ''
  return (
    <>
      <FilterBar onClear={isNarrowed ? () => change({ severity: '', state: '' }) : undefined}>
        <Choice
          label={t('events.severity')}
          value={filters.severity}
          options={alarmSeverities.map((value) => ({ value, label: t(`severity.${value}`) }))}
          onChange={(severity) => change({ severity })}
        />
        <Choice
          label={t('events.status')}
          value={filters.state}
          options={alarmStates
            .filter((value) => value !== 'cleared')
            .map((value) => ({ value, label: t(`alarms.states.${value}`) }))}
          onChange={(state) => change({ state })}
        />
      </FilterBar>
      <Panel
        title={t('alarms.openTitle')}
        lead={t('alarms.openLead')}
        flush
        actions={
          <>
            <ExportMenu name="alarms" rows={rows} columns={alarmExport} />
            <ShowCommand cli="akashi alarms list" request="GET /v1/alarms" />
          </>
        }
      >
        <Loaded query={alarms}>
          {() =>
            rows.length > 0 ? (
              <AlarmTable rows={rows} />
            ) : isNarrowed && all.length > 0 ? (
              <Empty title={t('alarms.noneLike')} />
            ) : (
              <Empty title={t('alarms.none')} detail={t('alarms.noneDetail')} />
            )
          }
        </Loaded>
      </Panel>
    </>
  )
}
