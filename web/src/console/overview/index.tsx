import { useMay } from '../../api/index.ts'
import { useTexts } from '../locales/index.ts'
import { Columns, Panel, Screen } from '../parts/screen.tsx'
import { ShowCommand } from '../parts/show-command.tsx'
import { Attacks } from './attacks.tsx'
import { useFacts } from './facts.ts'
import { Recent } from './recent.tsx'
import { ScorePanel } from './score.tsx'
import { Verdicts } from './verdicts.tsx'

/** Whether everything is as it should be, and what to do where it is not. */
export function Overview() {
  const t = useTexts()
  const may = useMay()
  const facts = useFacts()
  return (
    <Screen
      title={t('overview.title')}
      lead={t('overview.lead')}
      actions={<ShowCommand cli="akashi status" request="GET /v1/status" />}
    >
      <Verdicts facts={facts} />
      <Columns>
        <ScorePanel facts={facts} />
        {may('events:read') && <Attacks />}
      </Columns>
      <Panel title={t('overview.timeline')} lead={t('overview.timelineLead')}>
        <Recent />
      </Panel>
    </Screen>
  )
}
