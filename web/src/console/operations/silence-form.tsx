import { Select, Switch } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { call } from '../../api/index.ts'
import { showProblem } from '../../ui/index.ts'
import { useTexts } from '../locales/index.ts'
import { duration } from '../parts/bytes.ts'
import { ReasonForm } from '../parts/reason-form.tsx'

const HOUR_MS = 3_600_000
/** Hours for which alarms are kept from being announced; the server takes 90 days at most. */
const hours = [1, 4, 24, 72, 168, 720] as const
const DEFAULT_HOURS = 4

interface SilenceFormProps {
  readonly condition: string
  /** What the alarm is about; empty if its condition has only one subject. */
  readonly subject: string
  readonly onDone: () => void
}

/** Keeps alarms of a condition from being announced for a while. */
export function SilenceForm({ condition, subject, onDone }: SilenceFormProps) {
  const t = useTexts()
  const queries = useQueryClient()
  const [chosen, setChosen] = useState<number>(DEFAULT_HOURS)
  const [onlyThis, setOnlyThis] = useState(subject !== '')
  const silence = useMutation({
    mutationFn: (reason: string) =>
      call('POST /v1/alarms/silences', {
        body: {
          condition,
          ...(onlyThis && subject !== '' ? { subject } : {}),
          until: new Date(Date.now() + chosen * HOUR_MS).toISOString(),
          reason,
        },
      }),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ['console', 'alarms'] })
      onDone()
    },
    onError: showProblem,
  })
  return (
    <ReasonForm
      action={t('alarms.silence')}
      isPending={silence.isPending}
      onSubmit={silence.mutate}
      onCancel={onDone}
    >
      <Select
        label={t('alarms.silenceFor')}
        description={t('alarms.silenceDetail')}
        allowDeselect={false}
        data={hours.map((each) => ({ value: String(each), label: duration((each * HOUR_MS) / 1_000) }))}
        value={String(chosen)}
        onChange={(value) => setChosen(Number(value ?? DEFAULT_HOURS))}
      />
      {subject !== '' && (
        <Switch
          label={t('alarms.onlyThis', { subject })}
          checked={onlyThis}
          onChange={(event) => setOnlyThis(event.currentTarget.checked)}
        />
      )}
    </ReasonForm>
  )
}
