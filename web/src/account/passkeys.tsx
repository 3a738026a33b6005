import type { ResponseOf } from '@akashi/contract'
import { Alert, Button, Group, Stack, Text, TextInput } from '@mantine/core'
import { IconFingerprint } from '@tabler/icons-react'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import {
  addPasskey,
  call,
  hasPasskeys,
  isDismissedPasskey,
  isDismissedStepUp,
  isKnownPasskey,
  refreshSession,
} from '../api/index.ts'
import { ago, day } from '../i18n/when.ts'
import { ConfirmDialog, Dialog, problemText, showMessage } from '../ui/index.ts'
import { passkeysQuery } from './queries.ts'
import { RecoveryCodes } from './recovery-codes.tsx'
import { Row, Rows, RowsSkeleton, Section } from './section.tsx'

type Passkey = ResponseOf<'GET /v1/me/passkeys'>['passkeys'][number]

/** Passkeys of the account: listed, added, removed. */
export function Passkeys() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { data } = useQuery(passkeysQuery)
  const [adding, setAdding] = useState(false)
  const [removing, setRemoving] = useState<Passkey | null>(null)
  const refresh = async () => {
    await Promise.all([client.invalidateQueries({ queryKey: ['me'] }), refreshSession()])
  }
  const nameOf = (passkey: Passkey | null) => passkey?.label ?? t('passkey.unnamed')
  return (
    <Section
      title={t('passkey.title')}
      lead={t('passkey.lead')}
      action={
        hasPasskeys() && (
          <Button
            variant="default"
            leftSection={<IconFingerprint size={17} aria-hidden />}
            onClick={() => setAdding(true)}
          >
            {t('passkey.add')}
          </Button>
        )
      }
    >
      {data === undefined ? (
        <RowsSkeleton rows={1} />
      ) : (
        <Rows>
          {data.passkeys.length === 0 && (
            <Row icon={<IconFingerprint size={22} aria-hidden />}>
              <Text fw={550}>{t('passkey.none')}</Text>
              <Text size="sm" c="dimmed">
                {t(hasPasskeys() ? 'passkey.noneDetail' : 'passkey.notHere')}
              </Text>
            </Row>
          )}
          {data.passkeys.map((passkey) => (
            <Row
              key={passkey.id}
              icon={<IconFingerprint size={22} aria-hidden />}
              action={
                <Button
                  variant="subtle"
                  color="red"
                  size="xs"
                  aria-label={t('passkey.removeLabel', { name: nameOf(passkey) })}
                  onClick={() => setRemoving(passkey)}
                >
                  {t('security.remove')}
                </Button>
              }
            >
              <Text fw={550}>{nameOf(passkey)}</Text>
              <Text size="sm" c="dimmed">
                {[
                  t('passkey.addedAt', { when: day(passkey.createdAt) }),
                  passkey.lastUsedAt === null
                    ? t('security.neverUsed')
                    : t('security.usedAt', { when: ago(passkey.lastUsedAt) }),
                  passkey.backedUp && t('passkey.backedUp'),
                ]
                  .filter(Boolean)
                  .join(' · ')}
              </Text>
            </Row>
          ))}
        </Rows>
      )}
      {adding && <AddPasskey onClose={() => setAdding(false)} onAdded={refresh} />}
      <ConfirmDialog
        opened={removing !== null}
        title={t('security.removeTitle', { name: nameOf(removing) })}
        detail={t('passkey.removeDetail')}
        action={t('security.remove')}
        onClose={() => setRemoving(null)}
        onConfirm={async () => {
          if (removing === null) return
          await call('DELETE /v1/me/passkeys/{id}', { params: { id: removing.id } })
          await refresh()
          showMessage(t('passkey.removed'))
        }}
      />
    </Section>
  )
}

interface AddPasskeyProps {
  readonly onClose: () => void
  readonly onAdded: () => Promise<void>
}

function AddPasskey({ onClose, onAdded }: AddPasskeyProps) {
  const { t } = useTranslation()
  const [label, setLabel] = useState('')
  const [error, setError] = useState<string | null>(null)
  const [busy, setBusy] = useState(false)
  const [codes, setCodes] = useState<readonly string[] | null>(null)
  const add = async (event: FormEvent) => {
    event.preventDefault()
    setBusy(true)
    setError(null)
    try {
      const made = await addPasskey(label.trim() || null)
      await onAdded()
      showMessage(t('passkey.added'))
      if (made === null) onClose()
      else setCodes(made)
    } catch (failure) {
      if (isKnownPasskey(failure)) setError(t('passkey.known'))
      else if (!isDismissedPasskey(failure) && !isDismissedStepUp(failure)) setError(problemText(t, failure))
    } finally {
      setBusy(false)
    }
  }
  return (
    <Dialog
      opened
      onClose={onClose}
      title={codes === null ? t('passkey.add') : t('security.codes')}
      // The codes are shown only once: a stray click must not close them.
      closeOnClickOutside={codes === null}
      closeOnEscape={codes === null}
      withCloseButton={codes === null}
    >
      {codes !== null ? (
        <RecoveryCodes codes={codes} onDone={onClose} />
      ) : (
        <form onSubmit={(event) => void add(event)}>
          <Stack>
            {error !== null && (
              <Alert color="red" role="alert">
                {error}
              </Alert>
            )}
            <TextInput
              label={`${t('factor.label')} (${t('common.optional')})`}
              description={t('factor.labelDetail')}
              maxLength={100}
              value={label}
              onChange={(event) => setLabel(event.currentTarget.value)}
              data-autofocus
            />
            <Group justify="flex-end">
              <Button variant="default" onClick={onClose}>
                {t('common.cancel')}
              </Button>
              <Button type="submit" loading={busy}>
                {t('passkey.create')}
              </Button>
            </Group>
          </Stack>
        </form>
      )}
    </Dialog>
  )
}
