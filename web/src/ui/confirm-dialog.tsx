import { Button, Group, Stack, Text } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { Dialog } from './dialog.tsx'
import { showProblem } from './toast.ts'

interface ConfirmDialogProps {
  readonly opened: boolean
  readonly title: string
  readonly detail?: string
  /** Label of the button that confirms. */
  readonly action: string
  readonly onConfirm: () => Promise<unknown>
  readonly onClose: () => void
}

/** Asks before something that cannot be undone; stays open when it fails. */
export function ConfirmDialog({ opened, title, detail, action, onConfirm, onClose }: ConfirmDialogProps) {
  const { t } = useTranslation()
  const confirm = useMutation({ mutationFn: onConfirm, onSuccess: onClose, onError: showProblem })
  return (
    <Dialog opened={opened} onClose={onClose} title={<bdi>{title}</bdi>} size="sm">
      <Stack>
        {detail !== undefined && <Text size="sm">{detail}</Text>}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose} data-autofocus>
            {t('common.cancel')}
          </Button>
          <Button color="red" loading={confirm.isPending} onClick={() => confirm.mutate()}>
            {action}
          </Button>
        </Group>
      </Stack>
    </Dialog>
  )
}
