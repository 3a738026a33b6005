import type { ResponseOf } from '@akashi/contract'
import { Switch, Text } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import type { TFunction } from 'i18next'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { call } from '../api/index.ts'
import { moment } from '../i18n/when.ts'
import { showMessage, showProblem } from '../ui/index.ts'
import { Erasure } from './erasure.tsx'
import { consentsQuery } from './queries.ts'
import { Heading, Row, Rows, RowsSkeleton, Section, SectionBody } from './section.tsx'

type Consents = ResponseOf<'GET /v1/me/consents'>

/** Each purpose with the version of its text: a new text has a new version, which people decide on again. */
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
      <Section>
        {data === undefined ? (
          <RowsSkeleton rows={purposes.length} />
        ) : (
          <Rows>
            {purposes.map((each) => (
              <Purpose key={each.purpose} {...each} consents={data} />
            ))}
          </Rows>
        )}
      </Section>
      <Section title={t('privacy.history')}>
        {data === undefined || data.history.length === 0 ? (
          <SectionBody>
            <Text c="dimmed" size="sm">
              {data === undefined ? t('common.loading') : t('privacy.historyEmpty')}
            </Text>
          </SectionBody>
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
      </Section>
      <Erasure />
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
      showMessage(t('common.saved'))
    } catch (error) {
      showProblem(error)
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

/** The title of a purpose, or its id if the pages no longer ask for it. */
function titleOf(t: TFunction, purpose: string): string {
  const known = purposes.find((each) => each.purpose === purpose)
  return known === undefined ? purpose : t(`privacy.purposes.${known.purpose}.title`)
}
