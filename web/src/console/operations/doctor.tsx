import type { Diagnosis, DiagnosisCheck } from '@akashi/contract'
import { Button } from '@mantine/core'
import { IconRefresh } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { call } from '../../api/index.ts'
import { currentLanguage } from '../../i18n/index.ts'
import { useTexts } from '../locales/index.ts'
import { ExportMenu } from '../parts/export-menu.tsx'
import { Choice, FilterBar } from '../parts/filter-bar.tsx'
import { useFilters } from '../parts/filters.ts'
import { Score } from '../parts/score.tsx'
import { Panel } from '../parts/screen.tsx'
import { ShowCommand } from '../parts/show-command.tsx'
import { Empty, Loaded } from '../parts/state.tsx'
import { Tag } from '../parts/tag.tsx'
import classes from './doctor.module.css'

const areas = ['installation', 'record', 'recovery', 'security', 'alarms'] as const

/** Every check of this installation by area, with what each costs and how to fix it. */
export function Doctor() {
  const t = useTexts()
  const [filters, change] = useFilters(['area', 'state'])
  const diagnosis = useQuery({
    queryKey: ['console', 'doctor'],
    queryFn: ({ signal }) => call('GET /v1/doctor', { signal }),
    // Every request runs all checks, so the result is kept until a new one is requested.
    staleTime: Number.POSITIVE_INFINITY,
  })
  const shown = (diagnosis.data?.checks ?? []).filter(
    ({ area, ok }) =>
      (filters.area === '' || area === filters.area) &&
      (filters.state === '' || (filters.state === 'ok') === ok),
  )
  const isNarrowed = filters.area !== '' || filters.state !== ''
  return (
    <>
      <FilterBar onClear={isNarrowed ? () => change({ area: '', state: '' }) : undefined}>
        <Choice
          label={t('doctor.area')}
          value={filters.area}
          options={areas.map((value) => ({ value, label: t(`doctor.areas.${value}`) }))}
          onChange={(area) => change({ area })}
        />
        <Choice
          label={t('events.status')}
          value={filters.state}
          options={(['wrong', 'ok'] as const).map((value) => ({ value, label: t(`doctor.states.${value}`) }))}
          onChange={(state) => change({ state })}
        />
      </FilterBar>
      <Panel
        title={t('doctor.title')}
        lead={t('doctor.lead')}
        flush
        actions={
          <>
            <Button
              size="xs"
              variant="default"
              leftSection={<IconRefresh size={15} aria-hidden />}
              loading={diagnosis.isFetching}
              onClick={() => void diagnosis.refetch()}
            >
              {t('doctor.again')}
            </Button>
            <ExportMenu name="doctor" rows={shown} columns={exported} />
            <ShowCommand cli="akashi doctor" request="GET /v1/doctor" />
          </>
        }
      >
        <Loaded query={diagnosis} rows={6}>
          {(data) => <Summary diagnosis={data} />}
        </Loaded>
      </Panel>
      {diagnosis.data !== undefined && shown.length === 0 && (
        <Panel>
          <Empty title={t('doctor.nothing')} />
        </Panel>
      )}
      {areas.map((area) => {
        const checks = shown.filter((check) => check.area === area).sort(byDeduction)
        return checks.length === 0 ? null : (
          <Panel key={area} title={t(`doctor.areas.${area}`)} flush>
            <ul className={classes['checks']}>
              {checks.map((check) => (
                <Check key={check.name} check={check} />
              ))}
            </ul>
          </Panel>
        )
      })}
    </>
  )
}

function Summary({ diagnosis: { score, checks } }: { readonly diagnosis: Diagnosis }) {
  const t = useTexts()
  const wrong = checks.filter(({ ok }) => !ok).length
  return (
    <Score label={t('doctor.score')} score={score}>
      {wrong === 0
        ? t('doctor.allWell', { count: checks.length })
        : t('doctor.wrong', { count: wrong, all: checks.length })}
    </Score>
  )
}

/** What a check found is said in English alone, as by `akashi doctor`. */
function Check({ check: { name, ok, detail, hint, deduction } }: { readonly check: DiagnosisCheck }) {
  const t = useTexts()
  const isJapanese = currentLanguage() === 'ja'
  return (
    <li className={classes['check']}>
      <div className={classes['mark']}>
        <Tag tone={ok ? 'good' : 'bad'}>{t(ok ? 'doctor.states.ok' : 'doctor.states.wrong')}</Tag>
        {deduction > 0 && <span className={classes['points']}>−{deduction}</span>}
      </div>
      <div className={classes['found']} lang="en">
        <b>{name}</b>
        <div>{detail}</div>
        {hint !== null && (
          <div className={classes['hint']}>
            <span lang={isJapanese ? 'ja' : 'en'}>{t(ok ? 'doctor.advice' : 'doctor.fix')}</span> {hint}
          </div>
        )}
      </div>
    </li>
  )
}

function byDeduction(one: DiagnosisCheck, other: DiagnosisCheck): number {
  return Number(one.ok) - Number(other.ok) || other.deduction - one.deduction
}

const exported = (['area', 'name', 'ok', 'detail', 'hint', 'deduction'] as const).map((name) => ({
  name,
  value: (check: DiagnosisCheck) => check[name],
}))
