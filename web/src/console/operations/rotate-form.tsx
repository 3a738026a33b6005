import { type RotatablePurpose, rotatablePurposes } from '@akashi/contract'
import { Alert, Button, Group, Select, Stack, Text } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { call } from '../../api/index.ts'
import { showProblem } from '../../ui/index.ts'
import { useTexts } from '../locales/index.ts'
import { ReasonForm } from '../parts/reason-form.tsx'

/** Milliseconds; a new key requires recomputing every blind index. */
const ROTATE_TIMEOUT_MS = 110_000

interface RotateFormProps {
  /** The key whose rotation is completed; undefined: to be chosen. */
  readonly purpose: RotatablePurpose | undefined
  readonly onDone: () => void
}

/** Replaces a key of the service, and says what became of what it protected. */
export function RotateForm({ purpose, onDone }: RotateFormProps) {
  const t = useTexts()
  const { t: shell } = useTranslation()
  const queries = useQueryClient()
  const [chosen, setChosen] = useState<RotatablePurpose>(purpose ?? 'checkpoint')
  const rotate = useMutation({
    mutationFn: (reason: string) =>
      call('POST /v1/keys/rotations', { body: { purpose: chosen, reason }, timeoutMs: ROTATE_TIMEOUT_MS }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['console'] }),
    onError: showProblem,
  })
  if (rotate.data !== undefined) {
    const { keyId, rewrapped, reindexed, conflicts } = rotate.data
    return (
      <Stack>
        <Text size="sm">{t('keys.rotated', { key: keyId })}</Text>
        {rewrapped !== null && <Text size="sm">{t('keys.rewrapped', { count: rewrapped })}</Text>}
        {reindexed !== null && <Text size="sm">{t('keys.reindexed', { count: reindexed })}</Text>}
        {conflicts.length > 0 && (
          <Alert color="orange" title={t('keys.conflicts')}>
            {conflicts.join(', ')}
          </Alert>
        )}
        <Group justify="flex-end">
          <Button onClick={onDone}>{shell('common.close')}</Button>
        </Group>
      </Stack>
    )
  }
  return (
    <ReasonForm
      action={t('keys.rotate')}
      isPending={rotate.isPending}
      onSubmit={rotate.mutate}
      onCancel={onDone}
    >
      <Select
        label={t('keys.purpose')}
        description={t('keys.rotateDetail')}
        allowDeselect={false}
        disabled={purpose !== undefined}
        data={rotatablePurposes.map((value) => ({ value, label: t(`keys.purposes.${value}`) }))}
        value={chosen}
        onChange={(value) => setChosen(rotatablePurposes.find((each) => each === value) ?? chosen)}
      />
    </ReasonForm>
  )
}
