import { Button, Group, Modal, Stack, Text } from '@mantine/core'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

interface ConfirmProps {
  readonly label: string
  readonly title: string
  readonly detail: string
  readonly onConfirm: () => Promise<unknown>
}

/** A button that asks first. */
export function Confirm({ label, title, detail, onConfirm }: ConfirmProps) {
  const common = useTranslation().t
  const [asking, setAsking] = useState(false)
  const [busy, setBusy] = useState(false)
  const confirm = async () => {
    setBusy(true)
    await onConfirm()
    setBusy(false)
    setAsking(false)
  }
  return (
    <>
      <Button variant="subtle" color="red" size="compact-sm" onClick={() => setAsking(true)}>
        {label}
      </Button>
      <Modal
        opened={asking}
        onClose={() => setAsking(false)}
        title={<bdi>{title}</bdi>}
        closeButtonProps={{ 'aria-label': common('common.close') }}
      >
        <Stack>
          {detail !== '' && <Text size="sm">{detail}</Text>}
          <Group justify="flex-end">
            <Button variant="default" onClick={() => setAsking(false)} data-autofocus>
              {common('common.cancel')}
            </Button>
            <Button color="red" loading={busy} onClick={() => void confirm()}>
              {label}
            </Button>
          </Group>
        </Stack>
      </Modal>
    </>
  )
}
