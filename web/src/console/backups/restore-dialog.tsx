import { Alert, Button, Group, Stack, Text, TextInput } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { call, useMay } from '../../api/index.ts'
import { Dialog, showProblem } from '../../ui/index.ts'
import { shown } from '../audit/row.ts'
import { useTexts } from '../locales/index.ts'
import { exactly } from '../parts/exactly.ts'
import { ShowCommand } from '../parts/show-command.tsx'
import classes from './restore-dialog.module.css'
import { type Restored, RestoreEnded, type RestoreRun, restoreTable } from './restore-run.ts'

interface RestoreDialogProps {
  /** ISO 8601. */
  readonly at: string
  readonly opened: boolean
  readonly onClose: () => void
}

/** Compares one table with how it was, row by row, before anything of it is written back. */
export function RestoreDialog({ at, opened, onClose }: RestoreDialogProps) {
  const t = useTexts()
  return (
    <Dialog opened={opened} onClose={onClose} size="xl" title={t('backups.restoreTable')}>
      <RestoreForm key={at} at={at} />
    </Dialog>
  )
}

function RestoreForm({ at }: { readonly at: string }) {
  const t = useTexts()
  const { t: shell } = useTranslation()
  const may = useMay()
  const [table, setTable] = useState('')
  const [reason, setReason] = useState('')
  const [run, setRun] = useState<RestoreRun | null>(null)
  const cancel = useMutation({
    mutationFn: (id: string) => call('DELETE /v1/restores/{id}', { params: { id } }),
    onError: showProblem,
  })
  const isRunning = run?.state === 'running'
  const show = (error: Error) => {
    if (!(error instanceof RestoreEnded)) showProblem(error)
  }
  const compare = useMutation({
    mutationFn: () => restoreTable({ table, at, diff: true }, setRun),
    onError: show,
  })
  const apply = useMutation({
    mutationFn: () => restoreTable({ table, at, diff: true, apply: { reason } }, setRun),
    onError: show,
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    apply.reset()
    compare.mutate()
  }
  const difference = compare.data?.difference
  return (
    <Stack>
      <Text size="sm" c="dimmed">
        {t('backups.restoreLead', { at: exactly(at) })}
      </Text>
      <form onSubmit={submit}>
        <Group align="end">
          <TextInput
            className={classes['table'] ?? ''}
            label={t('audit.table')}
            placeholder="public.orders"
            required
            value={table}
            onChange={(event) => {
              setTable(event.currentTarget.value)
              compare.reset()
            }}
            data-autofocus
          />
          <Button type="submit" variant="default" loading={compare.isPending} disabled={!may('backup:admin')}>
            {t('backups.compare')}
          </Button>
          <ShowCommand
            cli={`akashi restore --table ${table || 'SCHEMA.TABLE'} --at ${at} --diff`}
            request="POST /v1/restores"
          />
        </Group>
      </form>
      {!may('backup:admin') && <Alert>{t('backups.needsAdmin')}</Alert>}
      {difference && <Difference difference={difference} />}
      {difference && difference.missing + difference.changed > 0 && apply.data === undefined && (
        <Group align="end">
          <TextInput
            className={classes['table'] ?? ''}
            label={t('common.reason')}
            description={t('common.reasonDetail')}
            value={reason}
            onChange={(event) => setReason(event.currentTarget.value)}
          />
          <Button
            color="red"
            loading={apply.isPending}
            disabled={reason.trim() === ''}
            onClick={() => apply.mutate()}
          >
            {t('backups.apply', { count: difference.missing + difference.changed })}
          </Button>
        </Group>
      )}
      {apply.data?.applied && (
        <Alert color="green" role="status">
          {t('backups.applied', { ...apply.data.applied })}
        </Alert>
      )}
      {isRunning && (
        <Group role="status">
          <Text size="sm">{t('backups.restoring', { phase: run.phase })}</Text>
          <Button
            size="xs"
            variant="default"
            disabled={run.cancelRequested}
            onClick={() => cancel.mutate(run.id)}
          >
            {shell('common.cancel')}
          </Button>
        </Group>
      )}
      {[compare.error, apply.error].map(
        (error) =>
          error instanceof RestoreEnded && (
            <Alert key={error.message} color="red" role="alert">
              {t('backups.restoreFailed', { message: error.message })}
            </Alert>
          ),
      )}
    </Stack>
  )
}

type Differences = NonNullable<Restored['difference']>

function Difference({ difference }: { readonly difference: Differences }) {
  const t = useTexts()
  const { missing, changed, added, rows } = difference
  return (
    <div>
      <Text fw={600} mb="xs">
        {missing + changed + added === 0
          ? t('backups.same')
          : t('backups.differs', { missing, changed, added })}
      </Text>
      {rows.length > 0 && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be reached with the keyboard
        <section className={classes['scroll']} tabIndex={0} aria-label={t('audit.changes')}>
          <table className={classes['rows']}>
            <thead>
              <tr>
                <th scope="col">{t('backups.kind')}</th>
                <th scope="col">{t('audit.record')}</th>
                <th scope="col">{t('backups.before')}</th>
                <th scope="col">{t('backups.now')}</th>
              </tr>
            </thead>
            <tbody>
              {rows.map(({ kind, key, before, now }) => (
                <tr key={`${kind} ${JSON.stringify(key)}`}>
                  <td>{t(`backups.kinds.${kind}`)}</td>
                  <td>{Object.values(key).map(shown).join(', ')}</td>
                  <td>{before === null ? '–' : JSON.stringify(before)}</td>
                  <td>{now === null ? '–' : JSON.stringify(now)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
    </div>
  )
}
