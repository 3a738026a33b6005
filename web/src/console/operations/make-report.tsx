import { Button, Group, Select, Stack, Text } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useNavigate } from 'react-router'
import { call } from '../../api/index.ts'
import { showProblem } from '../../ui/index.ts'
import { useTexts } from '../locales/index.ts'
import { endedMonths, monthOf } from './months.ts'

const MONTHS_OFFERED = 12
/** Milliseconds; the server counts the events of a busy month for up to 110 s. */
const MAKE_TIMEOUT_MS = 115_000

/** Has the report of a month made and signed, and shows it. */
export function MakeReport({ onClose }: { readonly onClose: () => void }) {
  const t = useTexts()
  const { t: shell } = useTranslation()
  const queries = useQueryClient()
  const navigate = useNavigate()
  const months = endedMonths(MONTHS_OFFERED)
  const [month, setMonth] = useState(months[0] ?? '')
  const make = useMutation({
    mutationFn: () => call('POST /v1/reports', { body: { month }, timeoutMs: MAKE_TIMEOUT_MS }),
    onSuccess: async ({ id }) => {
      await queries.invalidateQueries({ queryKey: ['console', 'reports'] })
      onClose()
      await navigate(`/console/operations/reports/${id}`)
    },
    onError: showProblem,
  })
  return (
    <Stack>
      <Text size="sm">{t('reports.makeDetail')}</Text>
      <Select
        label={t('reports.month')}
        allowDeselect={false}
        data={months.map((value) => ({ value, label: monthOf(value) }))}
        value={month}
        onChange={(value) => setMonth(value ?? month)}
      />
      <Group justify="flex-end">
        <Button variant="default" onClick={onClose}>
          {shell('common.cancel')}
        </Button>
        <Button loading={make.isPending} onClick={() => make.mutate()}>
          {t('reports.make')}
        </Button>
      </Group>
    </Stack>
  )
}
