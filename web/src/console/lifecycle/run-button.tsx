import { Button } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { call } from '../../api/index.ts'
import { ConfirmDialog, showMessage } from '../../ui/index.ts'
import { useTexts } from '../locales/index.ts'

/** Requests a run of the archive, after telling what it locks. */
export function RunButton({ disabled }: { readonly disabled: boolean }) {
  const t = useTexts()
  const [asking, setAsking] = useState(false)
  const run = useMutation({
    mutationFn: () => call('POST /v1/archive/runs'),
    onSuccess: () => showMessage(t('common.requested')),
  })
  return (
    <>
      <Button size="xs" disabled={disabled} onClick={() => setAsking(true)}>
        {t('lifecycle.apply')}
      </Button>
      <ConfirmDialog
        opened={asking}
        title={t('lifecycle.applyTitle')}
        detail={t('lifecycle.applyDetail')}
        action={t('lifecycle.apply')}
        onConfirm={() => run.mutateAsync()}
        onClose={() => setAsking(false)}
      />
    </>
  )
}
