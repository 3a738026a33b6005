import { type RemediationState, remediationStates } from '@akashi/contract'
import { Button, Select, Textarea } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { call, useMay } from '../../api/index.ts'
import { showMessage, showProblem } from '../../ui/index.ts'
import { type ConsoleTexts, useTexts } from '../locales/index.ts'
import { Tag, type Tone } from '../parts/tag.tsx'
import type { EventRow } from './event.ts'

const tones: Readonly<Record<RemediationState, Tone>> = {
  open: 'warn',
  in_progress: 'info',
  resolved: 'good',
  suppressed: 'plain',
}

export function RemediationTag({ state }: { readonly state: RemediationState }) {
  const t = useTexts()
  return <Tag tone={tones[state]}>{t(`events.states.${state}`)}</Tag>
}

export function stateOptions(t: ConsoleTexts) {
  return remediationStates.map((value) => ({ value, label: t(`events.states.${value}`) }))
}

/** What is done about an event, which is kept beside it. */
export function Remediation({ event }: { readonly event: EventRow }) {
  const t = useTexts()
  const { t: shell } = useTranslation()
  const may = useMay()
  const queries = useQueryClient()
  const [status, setStatus] = useState(event.status)
  const [notes, setNotes] = useState(event.notes ?? '')
  const save = useMutation({
    mutationFn: () =>
      call('PATCH /v1/events/{id}', {
        params: { id: event.id },
        body: { status, notes: notes === '' ? null : notes },
      }),
    onSuccess: async () => {
      showMessage(shell('common.saved'))
      await queries.invalidateQueries({ queryKey: ['console'] })
    },
    onError: showProblem,
  })
  if (!may('events:write')) return <RemediationTag state={event.status} />
  return (
    <form
      onSubmit={(submitted) => {
        submitted.preventDefault()
        save.mutate()
      }}
    >
      <Select
        label={t('events.status')}
        allowDeselect={false}
        data={stateOptions(t)}
        value={status}
        onChange={(value) => setStatus(remediationStates.find((state) => state === value) ?? status)}
      />
      <Textarea
        mt="sm"
        label={t('events.notes')}
        autosize
        minRows={2}
        maxRows={10}
        value={notes}
        onChange={(typed) => setNotes(typed.currentTarget.value)}
      />
      <Button
        mt="sm"
        size="xs"
        type="submit"
        loading={save.isPending}
        disabled={status === event.status && notes === (event.notes ?? '')}
      >
        {shell('common.save')}
      </Button>
    </form>
  )
}
