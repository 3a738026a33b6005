import { Text, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { call } from '../../api/index.ts'
import { showProblem } from '../../ui/index.ts'
import { useTexts } from '../locales/index.ts'
import { ReasonForm } from '../parts/reason-form.tsx'

interface DoneProps {
  readonly onDone: () => void
}

/** Adds a witness by the address and the key that it prints when it starts. */
export function TrustWitness({ onDone }: DoneProps) {
  const t = useTexts()
  const queries = useQueryClient()
  const [url, setUrl] = useState('')
  const [key, setKey] = useState('')
  const trust = useMutation({
    mutationFn: (reason: string) =>
      call('POST /v1/witnesses', { body: { url: url.trim(), key: key.trim(), reason } }),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ['console', 'witnesses'] })
      onDone()
    },
    onError: showProblem,
  })
  return (
    <ReasonForm
      action={t('witnesses.trust')}
      isPending={trust.isPending}
      isComplete={url.trim() !== '' && key.trim() !== ''}
      onSubmit={trust.mutate}
      onCancel={onDone}
    >
      <Text size="sm">{t('witnesses.trustDetail')}</Text>
      <TextInput
        label={t('witnesses.address')}
        type="url"
        value={url}
        onChange={(event) => setUrl(event.currentTarget.value)}
        data-autofocus
      />
      <TextInput
        label={t('proofs.key')}
        value={key}
        onChange={(event) => setKey(event.currentTarget.value)}
      />
    </ReasonForm>
  )
}

/** Takes the trust in a witness back; what it has cosigned stays. */
export function ForgetWitness({ name, onDone }: DoneProps & { readonly name: string }) {
  const t = useTexts()
  const queries = useQueryClient()
  const forget = useMutation({
    mutationFn: (reason: string) => call('POST /v1/witnesses/forget', { body: { name, reason } }),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ['console', 'witnesses'] })
      onDone()
    },
    onError: showProblem,
  })
  return (
    <ReasonForm
      action={t('witnesses.forget')}
      isPending={forget.isPending}
      onSubmit={forget.mutate}
      onCancel={onDone}
    >
      <Text size="sm">{t('witnesses.forgetDetail', { name })}</Text>
    </ReasonForm>
  )
}
