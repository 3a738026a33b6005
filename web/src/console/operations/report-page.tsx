import { type ReportLanguage, reportLanguages } from '@akashi/contract'
import { Button, Menu, SegmentedControl } from '@mantine/core'
import { IconArrowLeft, IconDownload } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from 'react-router'
import { addressOf, call } from '../../api/index.ts'
import { currentLanguage } from '../../i18n/index.ts'
import { download } from '../../ui/index.ts'
import { useTexts } from '../locales/index.ts'
import { useFilters } from '../parts/filters.ts'
import { Panel } from '../parts/screen.tsx'
import { ShowCommand } from '../parts/show-command.tsx'
import { Loaded } from '../parts/state.tsx'
import { Tag } from '../parts/tag.tsx'
import { monthOf } from './months.ts'
import { ReportDocument } from './report-document.tsx'
import classes from './reports.module.css'
import { verdictTones } from './reports.tsx'

/** One compliance report, read in the page as it was signed, and its files. */
export function ReportPage() {
  const t = useTexts()
  const { reportId = '' } = useParams()
  const [filters, change] = useFilters(['lang'])
  const lang = reportLanguages.find((each) => each === filters.lang) ?? currentLanguage()
  const report = useQuery({
    queryKey: ['console', 'report', reportId],
    queryFn: ({ signal }) => call('GET /v1/reports/{id}', { params: { id: reportId }, signal }),
    staleTime: Number.POSITIVE_INFINITY,
  })
  const pageOf = (format: string, language: ReportLanguage) =>
    addressOf('/v1/reports/{id}/file', { params: { id: reportId }, query: { format, lang: language } })
  return (
    <>
      <div>
        <Button
          component={Link}
          to="/console/operations/reports"
          variant="subtle"
          size="compact-sm"
          leftSection={<IconArrowLeft size={16} aria-hidden />}
        >
          {t('reports.title')}
        </Button>
      </div>
      <Loaded query={report}>
        {({ month, verdict, note }) => (
          <Panel
            title={monthOf(month)}
            flush
            actions={
              <>
                <Tag tone={verdictTones[verdict]}>{t(`reports.verdicts.${verdict}`)}</Tag>
                <SegmentedControl
                  size="xs"
                  aria-label={t('reports.language')}
                  value={lang}
                  onChange={(value) => change({ lang: value })}
                  data={[
                    { value: 'ja', label: '日本語' },
                    { value: 'en', label: 'English' },
                  ]}
                />
                <Menu position="bottom-end" withinPortal width={200}>
                  <Menu.Target>
                    <Button variant="default" size="xs" leftSection={<IconDownload size={15} aria-hidden />}>
                      {t('reports.download')}
                    </Button>
                  </Menu.Target>
                  <Menu.Dropdown>
                    {(['pdf', 'html', 'json'] as const).map((format) => (
                      <Menu.Item key={format} component="a" href={pageOf(format, lang)} download>
                        {format.toUpperCase()}
                      </Menu.Item>
                    ))}
                    <Menu.Item onClick={() => download(`report-${month}.note`, 'text/plain', note)}>
                      {t('reports.note')}
                    </Menu.Item>
                  </Menu.Dropdown>
                </Menu>
                <ShowCommand
                  cli={`akashi report verify ${month}-report.${lang}.html`}
                  request={`GET ${pageOf('html', lang)}`}
                />
              </>
            }
          >
            <div className={classes['report']}>
              <ReportDocument key={lang} address={pageOf('html', lang)} />
            </div>
          </Panel>
        )}
      </Loaded>
    </>
  )
}
