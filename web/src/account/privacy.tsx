import type { ResponseOf } from '@akashi/contract'
import { Switch, Text } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { call } from '../api/index.ts'
import { moment } from '../i18n/when.ts'
import { tell, tellProblem } from '../ui/index.ts'
import { Heading, Part, PartBody, Row, Rows, RowsSkeleton } from './part.tsx'
import { consentsQuery } from './queries.ts'

type Consents = ResponseOf<'GET /v1/me/consents'>

/** What is asked, and which text of it is shown here: a new text is a new version, to be decided again. */
const purposes = [
  { purpose: 'service', version: '2026-11' },
  { purpose: 'usage_statistics', version: '2026-11' },
  { purpose: 'product_news', version: '2026-11' },
] as const

export function PrivacyPage() {
  const { t } = useTranslation()
  const { data } = useQuery(consentsQuery)
  return (
    <>
      <Heading title={t('account.privacy')} lead={t('privacy.lead')} />
      <Part>
        {data === undefined ? (
          <RowsSkeleton rows={purposes.length} />
        ) : (
          <Rows>
            {purposes.map((each) => (
              <Purpose key={each.purpose} {...each} consents={data} />
            ))}
          </Rows>
        )}
      </Part>
      <Part title={t('privacy.history')}>
        {data === undefined || data.history.length === 0 ? (
          <PartBody>
            <Text c="dimmed" size="sm">
              {data === undefined ? t('common.loading') : t('privacy.historyEmpty')}
            </Text>
          </PartBody>
        ) : (
          <Rows>
            {data.history.map((decision) => (
              <Row key={decision.id}>
                <Text size="sm">
                  {titleOf(t, decision.purpose)}:{' '}
                  {decision.decision === 'granted' ? t('privacy.grant') : t('privacy.withdraw')}
                </Text>
                <Text size="sm" c="dimmed">
                  {moment(decision.createdAt)} · {t('privacy.version', { version: decision.documentVersion })}
                </Text>
              </Row>
            ))}
          </Rows>
        )}
      </Part>
    </>
  )
}

interface PurposeProps {
  readonly purpose: (typeof purposes)[number]['purpose']
  readonly version: string
  readonly consents: Consents
}

function Purpose({ purpose, version, consents }: PurposeProps) {
  const { t, i18n } = useTranslation()
  const client = useQueryClient()
  const [busy, setBusy] = useState(false)
  const latest = consents.current.find((each) => each.purpose === purpose && each.documentVersion === version)
  const decide = async (granted: boolean) => {
    setBusy(true)
    try {
      await call('POST /v1/me/consents', {
        body: {
          purpose,
          decision: granted ? 'granted' : 'withdrawn',
          documentVersion: version,
          regulation: i18n.language === 'ja' ? 'appi' : 'gdpr',
        },
      })
      await client.invalidateQueries({ queryKey: ['me', 'consents'] })
      tell(t('common.saved'))
    } catch (error) {
      tellProblem(error)
    } finally {
      setBusy(false)
    }
  }
  const title = t(`privacy.purposes.${purpose}.title`)
  return (
    <Row
      action={
        <Switch
          aria-label={title}
          size="md"
          checked={latest?.decision === 'granted'}
          disabled={busy}
          onChange={(event) => void decide(event.currentTarget.checked)}
        />
      }
    >
      <Text fw={550}>{title}</Text>
      <Text size="sm" c="dimmed">
        {t(`privacy.purposes.${purpose}.detail`)}
      </Text>
      <Text size="xs" c="dimmed" mt={4}>
        {latest === undefined
          ? t('privacy.undecided')
          : latest.decision === 'granted'
            ? t('privacy.granted', { when: moment(latest.createdAt) })
            : t('privacy.withdrawn', { when: moment(latest.createdAt) })}
      </Text>
    </Row>
  )
}

/** A purpose that is not asked for any more goes by its own name. */
function titleOf(t: ReturnType<typeof useTranslation>['t'], purpose: string): string {
  const known = purposes.find((each) => each.purpose === purpose)
  return known === undefined ? purpose : t(`privacy.purposes.${known.purpose}.title`)
}
