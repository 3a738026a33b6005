import { useQuery } from '@tanstack/react-query'
import { call } from '../../api/index.ts'
import { useTexts } from '../locales/index.ts'
import { boundsOf } from '../parts/period.ts'
import { Panel } from '../parts/screen.tsx'
import { SeverityChart } from '../parts/severity-chart.tsx'
import { Empty, Loaded } from '../parts/state.tsx'
import { live } from '../queries.ts'

/** Security events of the last week by severity. */
export function Attacks() {
  const t = useTexts()
  const timeline = useQuery({
    queryKey: ['console', 'events', 'timeline', '7d'],
    queryFn: ({ signal }) => call('GET /v1/events/timeline', { query: boundsOf('7d'), signal }),
    ...live,
  })
  return (
    <Panel title={t('overview.events')} lead={t('overview.eventsLead')}>
      <Loaded query={timeline} rows={5}>
        {(data) =>
          data.total === 0 ? (
            <Empty title={t('overview.noEvents')} detail={t('overview.noEventsDetail')} />
          ) : (
            <SeverityChart
              timeline={data}
              label={t('overview.eventsChart', { count: data.total })}
              height={200}
            />
          )
        }
      </Loaded>
    </Panel>
  )
}
