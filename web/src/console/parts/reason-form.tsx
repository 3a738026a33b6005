import { Button, Group, Stack, TextInput } from '@mantine/core'
import { type ReactNode, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useTexts } from '../locales/index.ts'

interface ReasonFormProps {
  /** Label of the button that does it. */
  readonly action: string
  /** What is done, above the reason: words or more fields. */
  readonly children?: ReactNode
  readonly isPending: boolean
  /** Whether the other fields have what is needed. */
  readonly isComplete?: boolean
  readonly onSubmit: (reason: string) => void
  readonly onCancel: () => void
}

/** Asks for the reason that is recorded with an operation. */
export function ReasonForm({ action, children, isComplete = true, ...rest }: ReasonFormProps) {
  const t = useTexts()
  const { t: shell } = useTranslation()
  const [reason, setReason] = useState('')
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        rest.onSubmit(reason.trim())
      }}
    >
      <Stack>
        {children}
        <TextInput
          label={t('common.reason')}
          description={t('common.reasonDetail')}
          value={reason}
          onChange={(event) => setReason(event.currentTarget.value)}
          data-autofocus={children === undefined || undefined}
        />
        <Group justify="flex-end">
          <Button variant="default" onClick={rest.onCancel}>
            {shell('common.cancel')}
          </Button>
          <Button type="submit" loading={rest.isPending} disabled={reason.trim() === '' || !isComplete}>
            {action}
          </Button>
        </Group>
      </Stack>
    </form>
  )
}
