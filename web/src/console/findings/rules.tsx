import { Button, Text } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { call, useMay } from '../../api/index.ts'
import { currentLanguage } from '../../i18n/index.ts'
import { ago } from '../../i18n/when.ts'
import { SidePanel, showProblem } from '../../ui/index.ts'
import classes from '../audit/row-panel.module.css'
import { useTexts } from '../locales/index.ts'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { useFilters } from '../parts/filters.ts'
import { boundsOf } from '../parts/period.ts'
import { Panel } from '../parts/screen.tsx'
import { SeverityTag } from '../parts/severity-tag.tsx'
import { ShowCommand } from '../parts/show-command.tsx'
import { Loaded } from '../parts/state.tsx'
import { Tag } from '../parts/tag.tsx'
import { TimeChart } from '../parts/time-chart.tsx'

/** The rules with what each found, how often it was wrong, and whether its tests pass. */
export function Rules() {
  const t = useTexts()
  const [{ open }, change] = useFilters(['open'])
  const rules = useQuery({
    queryKey: ['console', 'rules'],
    queryFn: ({ signal }) => call('GET /v1/detection/rules', { signal }),
  })
  const list = rules.data?.rules ?? []
  type Rule = (typeof list)[number]
  const percent = (rate: number) =>
    new Intl.NumberFormat(currentLanguage(), { style: 'percent' }).format(rate)
  const columns: readonly Column<Rule>[] = [
    {
      id: 'title',
      title: t('findings.rule'),
      width: 'minmax(16rem, 2.5fr)',
      cell: (rule) => (currentLanguage() === 'ja' ? (rule.titleJa ?? rule.title) : rule.title),
    },
    {
      id: 'severity',
      title: t('events.severity'),
      width: '6rem',
      cell: (rule) => <SeverityTag severity={rule.severity} />,
    },
    { id: 'attack', title: 'ATT&CK', width: '9rem', cell: ({ attack }) => attack.join(', ') || '–' },
    {
      id: 'findings',
      title: t('findings.hits'),
      width: '6rem',
      end: true,
      cell: ({ findings }) => findings.toLocaleString(),
    },
    {
      id: 'wrong',
      title: t('findings.falsePositives'),
      width: '7rem',
      end: true,
      cell: ({ falsePositiveRate }) => (falsePositiveRate === null ? '–' : percent(falsePositiveRate)),
    },
    {
      id: 'noise',
      title: t('findings.noise'),
      width: '6.5rem',
      cell: ({ noise }) => (
        <Tag tone={noise.exceeded ? 'warn' : 'good'}>
          {t(noise.exceeded ? 'findings.noisy' : 'findings.quiet')}
        </Tag>
      ),
    },
    {
      id: 'tests',
      title: t('findings.tests'),
      width: '6.5rem',
      cell: ({ tests: { passed, failed } }) => (
        <Tag
          tone={failed > 0 ? 'bad' : passed > 0 ? 'good' : 'plain'}
        >{`${passed} / ${passed + failed}`}</Tag>
      ),
    },
    {
      id: 'last',
      title: t('findings.last'),
      width: '8.5rem',
      end: true,
      cell: ({ lastAt }) => (lastAt === null ? '–' : ago(lastAt)),
    },
  ]
  return (
    <Panel
      title={t('findings.rules')}
      flush
      actions={<ShowCommand cli="akashi detect rules" request="GET /v1/detection/rules" />}
    >
      <Loaded query={rules} rows={8}>
        {() => (
          <DataTable
            label={t('findings.rules')}
            minWidth="66rem"
            columns={columns}
            rows={list}
            rowKey={({ id }) => id}
            onOpen={({ name }) => change({ open: name })}
            isOpen={({ name }) => name === open}
          />
        )}
      </Loaded>
      <RulePanel name={open} onClose={() => change({ open: '' })} />
    </Panel>
  )
}

interface RulePanelProps {
  readonly name: string
  readonly onClose: () => void
}

function RulePanel({ name, onClose }: RulePanelProps) {
  const t = useTexts()
  const may = useMay()
  const rule = useQuery({
    queryKey: ['console', 'rule', name],
    queryFn: ({ signal }) => call('GET /v1/detection/rules/{rule}', { params: { rule: name }, signal }),
    enabled: name !== '',
  })
  const backtest = useMutation({
    mutationFn: () => {
      const { from, to } = boundsOf('30d')
      return call('POST /v1/detection/backtest', { body: { rule: name, from, to } })
    },
    onError: showProblem,
  })
  return (
    <SidePanel opened={name !== ''} onClose={onClose} size="xl" title={name}>
      {name !== '' && (
        <Loaded query={rule} rows={6}>
          {(data) => (
            <div className={classes['panel']}>
              <Text>{(currentLanguage() === 'ja' ? data.descriptionJa : null) ?? data.description}</Text>
              <dl className={classes['facts']}>
                <div>
                  <dt>ATT&amp;CK</dt>
                  <dd>{[...data.tactics, ...data.attack].join(', ') || '–'}</dd>
                </div>
                <div>
                  <dt>{t('findings.groupBy')}</dt>
                  <dd>{data.groupBy.join(', ') || '–'}</dd>
                </div>
                <div>
                  <dt>{t('findings.causes')}</dt>
                  <dd>{data.falsePositiveCauses.join(' · ') || '–'}</dd>
                </div>
                {data.testResults.map(({ name: test, passed }) => (
                  <div key={test}>
                    <dt>
                      <Tag tone={passed ? 'good' : 'bad'}>
                        {t(passed ? 'backups.passed' : 'backups.failed')}
                      </Tag>
                    </dt>
                    <dd>{test}</dd>
                  </div>
                ))}
              </dl>
              <pre className={classes['detail']}>{data.sql}</pre>
              {may('query:read') && (
                <div>
                  <Button size="xs" loading={backtest.isPending} onClick={() => backtest.mutate()}>
                    {t('findings.backtest')}
                  </Button>
                </div>
              )}
              {backtest.data !== undefined && (
                <div role="status">
                  <Text fw={600}>{t('findings.wouldFind', { count: backtest.data.total })}</Text>
                  {backtest.data.days.length > 0 && (
                    <TimeChart
                      label={t('findings.wouldFind', { count: backtest.data.total })}
                      times={backtest.data.days.map(({ day }) => Date.parse(day))}
                      series={[
                        {
                          name: t('findings.hits'),
                          color: '--chart-1',
                          values: backtest.data.days.map(({ findings }) => findings),
                        },
                      ]}
                      height={140}
                    />
                  )}
                </div>
              )}
            </div>
          )}
        </Loaded>
      )}
    </SidePanel>
  )
}
