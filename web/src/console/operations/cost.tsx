import type { ResponseOf } from '@akashi/contract'
import { NumberInput, Select } from '@mantine/core'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useId } from 'react'
import { call } from '../../api/index.ts'
import { currentLanguage } from '../../i18n/index.ts'
import { useTexts } from '../locales/index.ts'
import { ExportMenu } from '../parts/export-menu.tsx'
import { Fact, Facts } from '../parts/facts.tsx'
import { FilterBar } from '../parts/filter-bar.tsx'
import { useFilters } from '../parts/filters.ts'
import { Columns, Panel } from '../parts/screen.tsx'
import { ShowCommand } from '../parts/show-command.tsx'
import { Loaded } from '../parts/state.tsx'
import { TimeChart } from '../parts/time-chart.tsx'
import classes from './cost.module.css'

type Forecast = ResponseOf<'POST /v1/cost'>
type Month = Forecast['months'][number]

const presets = ['akashi', 's4'] as const
/** What can be changed here, each with what the server accepts. */
const numbers = {
  users: { min: 1, max: 1e9, flag: 'users' },
  eventsPerUser: { min: 1, max: 1e6, flag: 'events-per-user' },
  eventBytes: { min: 1, max: 1e7, flag: 'event-bytes' },
  years: { min: 1, max: 30, flag: 'years' },
  hotDays: { min: 1, max: 100_000, flag: 'hot-days' },
} as const
type NumberName = keyof typeof numbers
const names = Object.keys(numbers) as NumberName[]

/** What keeping events costs over the years: all in the database, or archived. */
export function Cost() {
  const t = useTexts()
  const [filters, change] = useFilters(['preset', ...names])
  const preset = presets.find((each) => each === filters.preset) ?? 'akashi'
  const assumptions = Object.fromEntries(
    names.flatMap((name) => {
      const value = Number(filters[name])
      const { min, max } = numbers[name]
      return filters[name] === '' || !(value >= min && value <= max) ? [] : [[name, value]]
    }),
  ) as Partial<Record<NumberName, number>>
  const forecast = useQuery({
    queryKey: ['console', 'cost', preset, assumptions],
    queryFn: ({ signal }) => call('POST /v1/cost', { body: { preset, assumptions }, signal }),
    placeholderData: keepPreviousData,
  })
  const isNarrowed = [filters.preset, ...names.map((name) => filters[name])].some((value) => value !== '')
  const flags = names
    .filter((name) => assumptions[name] !== undefined)
    .map((name) => ` --${numbers[name].flag} ${assumptions[name]}`)
    .join('')
  return (
    <>
      <FilterBar
        onClear={
          isNarrowed
            ? () => change({ preset: '', ...Object.fromEntries(names.map((name) => [name, ''])) })
            : undefined
        }
      >
        <Select
          aria-label={t('cost.preset')}
          allowDeselect={false}
          data={presets.map((value) => ({ value, label: t(`cost.presets.${value}`) }))}
          value={preset}
          onChange={(value) => change({ preset: value ?? '' })}
        />
      </FilterBar>
      <Loaded query={forecast} rows={8}>
        {(data) => (
          <>
            <Panel
              title={t('cost.title')}
              lead={t('cost.lead', { region: data.prices.region, date: data.prices.date })}
              actions={
                <>
                  <ExportMenu name="cost" rows={data.months} columns={exported} />
                  <ShowCommand cli={`akashi cost --preset ${preset}${flags}`} request="POST /v1/cost" />
                </>
              }
            >
              <CostChart months={data.months} />
            </Panel>
            <Columns>
              <Assumptions
                assumptions={data.assumptions}
                onChange={(name, value) => change({ [name]: String(value) })}
              />
              <Totals forecast={data} />
            </Columns>
          </>
        )}
      </Loaded>
    </>
  )
}

function CostChart({ months }: { readonly months: readonly Month[] }) {
  const t = useTexts()
  const now = new Date()
  return (
    <TimeChart
      label={t('cost.chart', { count: months.length })}
      kind="lines"
      height={240}
      format={dollars}
      times={months.map((_, at) => new Date(now.getFullYear(), now.getMonth() + at, 1).getTime())}
      series={[
        { name: t('cost.keep'), color: '--chart-high', values: months.map(({ keep }) => keep) },
        { name: t('cost.archive'), color: '--chart-2', values: months.map(({ archive }) => archive.total) },
      ]}
    />
  )
}

interface AssumptionsProps {
  readonly assumptions: Forecast['assumptions']
  readonly onChange: (name: NumberName, value: number) => void
}

function Assumptions({ assumptions, onChange }: AssumptionsProps) {
  const t = useTexts()
  const id = useId()
  return (
    <Panel title={t('cost.assumptions')} lead={t('cost.assumptionsLead')}>
      <div className={classes['numbers']}>
        {names.map((name) => (
          <NumberInput
            // What the server took is shown, also after the preset is another.
            key={`${name} ${assumptions[name]}`}
            id={`${id}-${name}`}
            label={t(`cost.numbers.${name}`)}
            defaultValue={assumptions[name]}
            min={numbers[name].min}
            max={numbers[name].max}
            thousandSeparator=","
            hideControls
            onBlur={(event) => {
              const value = Number(event.currentTarget.value.replaceAll(',', ''))
              if (value !== assumptions[name] && value >= numbers[name].min) onChange(name, value)
            }}
            onKeyDown={(event) => {
              if (event.key === 'Enter') event.currentTarget.blur()
            }}
          />
        ))}
      </div>
    </Panel>
  )
}

function Totals({ forecast: { totals, assumptions } }: { readonly forecast: Forecast }) {
  const t = useTexts()
  return (
    <Panel title={t('cost.totals', { count: assumptions.years })}>
      <Facts>
        <Fact term={t('cost.keep')}>{dollars(totals.keep)}</Fact>
        <Fact term={t('cost.archive')}>{dollars(totals.archive.total)}</Fact>
        <Fact term={t('cost.saving')}>
          <b>{dollars(totals.savingAfterFees)}</b>{' '}
          {Math.round((PERCENT * totals.savingAfterFees) / totals.keep)}%
        </Fact>
        {(['storage', 'minimums', 'requests', 'retrieval', 'scan', 'crawler'] as const)
          .filter((part) => totals.archive[part] > 0)
          .map((part) => (
            <Fact key={part} term={t(`cost.parts.${part}`)}>
              {dollars(totals.archive[part])}
            </Fact>
          ))}
        {totals.databaseFullOnDay !== null && (
          <Fact term={t('cost.full')}>{t('cost.fullOnDay', { day: totals.databaseFullOnDay })}</Fact>
        )}
      </Facts>
    </Panel>
  )
}

const PERCENT = 100
/** Cents matter below this many dollars. */
const WHOLE_FROM = 100

function dollars(amount: number): string {
  return new Intl.NumberFormat(currentLanguage(), {
    style: 'currency',
    currency: 'USD',
    maximumFractionDigits: amount < WHOLE_FROM && amount !== 0 ? 2 : 0,
  }).format(amount)
}

const exported = [
  ...(['month', 'gb', 'databaseGb', 'keep', 'keepTotal', 'archiveTotal'] as const).map((name) => ({
    name,
    value: (month: Month) => month[name],
  })),
  { name: 'archive', value: ({ archive }: Month) => archive.total },
]
