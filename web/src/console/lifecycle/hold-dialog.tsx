import { Button, Group, Stack, Text, TextInput } from '@mantine/core'
import { type QueryKey, useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { call } from '../../api/index.ts'
import { Dialog, showProblem } from '../../ui/index.ts'
import { useTexts } from '../locales/index.ts'

interface HoldDialogProps {
  readonly chosen: { readonly table: string; readonly held: boolean } | null
  /** Of what is read again afterwards. */
  readonly queryKey: QueryKey
  readonly onClose: () => void
}

/** Places a table under legal hold, or releases it; the reason is recorded. */
export function HoldDialog({ chosen, queryKey, onClose }: HoldDialogProps) {
  const t = useTexts()
  const { t: shell } = useTranslation()
  const queries = useQueryClient()
  const [reason, setReason] = useState('')
  const change = useMutation({
    mutationFn: async () => {
      if (chosen === null) return
      const { table, held } = chosen
      await call('PUT /v1/archive/holds/{table}', { params: { table }, body: { held: !held, reason } })
    },
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey })
      setReason('')
      onClose()
    },
    onError: showProblem,
  })
  return (
    <Dialog
      opened={chosen !== null}
      onClose={onClose}
      title={
        chosen === null
          ? ''
          : t(chosen.held ? 'lifecycle.releaseOf' : 'lifecycle.holdOf', { table: chosen.table })
      }
    >
      <form
        onSubmit={(event) => {
          event.preventDefault()
          change.mutate()
        }}
      >
        <Stack>
          <Text size="sm">{t('lifecycle.holdDetail')}</Text>
          <TextInput
            label={t('common.reason')}
            description={t('common.reasonDetail')}
            value={reason}
            onChange={(event) => setReason(event.currentTarget.value)}
            data-autofocus
          />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              {shell('common.cancel')}
            </Button>
            <Button type="submit" loading={change.isPending} disabled={reason.trim() === ''}>
              {t(chosen?.held ? 'lifecycle.release' : 'lifecycle.hold')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Dialog>
  )
}
