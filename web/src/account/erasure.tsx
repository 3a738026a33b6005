import { Button, Group, Stack, Text, Textarea } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { call, isDismissedStepUp } from '../api/index.ts'
import { day } from '../i18n/when.ts'
import { Dialog, showMessage, showProblem } from '../ui/index.ts'
import { useTexts } from './locales/index.ts'
import { erasureRequestQuery } from './queries.ts'
import { Section, SectionBody } from './section.tsx'

const MAX_REASON_CHARACTERS = 1_000

/** What an erasure does, and how to ask for it. */
export function Erasure() {
  const t = useTexts()
  const { data } = useQuery(erasureRequestQuery)
  const [asking, setAsking] = useState(false)
  const request = data?.request ?? null
  return (
    <Section title={t('erasure.title')}>
      <SectionBody>
        <Stack gap="sm">
          <Text size="sm">{t('erasure.what')}</Text>
          <Text size="sm" c="dimmed">
            {t('erasure.kept')}
          </Text>
          {request !== null && (
            <Text size="sm" fw={550} role="status">
              {t(`erasure.${request.state}`, { when: day(request.requestedAt) })}
            </Text>
          )}
          {request?.state !== 'waiting' && (
            <Group>
              <Button variant="default" disabled={data === undefined} onClick={() => setAsking(true)}>
                {t('erasure.ask')}
              </Button>
            </Group>
          )}
        </Stack>
        <Dialog opened={asking} onClose={() => setAsking(false)} title={t('erasure.askTitle')} size="sm">
          <Ask onClose={() => setAsking(false)} />
        </Dialog>
      </SectionBody>
    </Section>
  )
}

function Ask({ onClose }: { readonly onClose: () => void }) {
  const t = useTexts()
  const common = useTranslation().t
  const queries = useQueryClient()
  const [reason, setReason] = useState('')
  const send = useMutation({
    mutationFn: () => call('POST /v1/me/erasure-request', { body: { reason: reason.trim() } }),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: erasureRequestQuery.queryKey })
      showMessage(t('erasure.sent'))
      onClose()
    },
    onError: (error) => {
      if (!isDismissedStepUp(error)) showProblem(error)
    },
  })
  return (
    <Stack>
      <Text size="sm">{t('erasure.askDetail')}</Text>
      <Textarea
        label={t('erasure.reason')}
        maxLength={MAX_REASON_CHARACTERS}
        autosize
        minRows={2}
        maxRows={6}
        value={reason}
        onChange={(event) => setReason(event.currentTarget.value)}
      />
      <Group justify="flex-end">
        <Button variant="default" onClick={onClose}>
          {common('common.cancel')}
        </Button>
        <Button color="red" loading={send.isPending} onClick={() => send.mutate()}>
          {t('erasure.send')}
        </Button>
      </Group>
    </Stack>
  )
}
