import type { ResponseOf } from '@akashi/contract'
import { Button, Group, Stack, Text, TextInput } from '@mantine/core'
import { IconDeviceMobile, IconKey, IconShieldPlus } from '@tabler/icons-react'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { call, profileQuery, refreshSession } from '../api/index.ts'
import { ago } from '../i18n/when.ts'
import { ConfirmDialog, Dialog, showMessage, showProblem } from '../ui/index.ts'
import { EnrolFactor } from './enrol-factor.tsx'
import { Passkeys } from './passkeys.tsx'
import { PasswordForm } from './password-form.tsx'
import { factorsQuery } from './queries.ts'
import { RecoveryCodes } from './recovery-codes.tsx'
import { Heading, Row, Rows, RowsSkeleton, Section, SectionBody } from './section.tsx'

type Factor = ResponseOf<'GET /v1/me/mfa'>['factors'][number]

export function SecurityPage() {
  const { t } = useTranslation()
  return (
    <>
      <Heading title={t('account.security')} />
      <Factors />
      <Passkeys />
      <Password />
    </>
  )
}

function Password() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { data: profile } = useQuery(profileQuery)
  const local = profile === undefined || profile.issuer === 'local'
  const changed = () => {
    showMessage(t('password.changed'))
    void refreshSession()
    void client.invalidateQueries({ queryKey: ['me', 'sessions'] })
  }
  return (
    <Section title={t('security.password')} lead={t('security.passwordLead')}>
      <SectionBody>
        {local ? (
          <PasswordForm username={profile?.username ?? ''} onDone={changed} />
        ) : (
          <Text c="dimmed">{t('security.passwordProvider', { issuer: profile.issuer })}</Text>
        )}
      </SectionBody>
    </Section>
  )
}

function Factors() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { data } = useQuery(factorsQuery)
  const [adding, setAdding] = useState(false)
  const [removing, setRemoving] = useState<Factor | null>(null)
  const factors = data?.factors.filter(({ confirmedAt }) => confirmedAt !== null) ?? []
  const refresh = () => client.invalidateQueries({ queryKey: ['me', 'mfa'] })
  const nameOf = (factor: Factor | null) => factor?.label ?? t('security.unnamed')
  return (
    <Section
      title={t('security.factors')}
      lead={t('security.factorsLead')}
      action={
        <Button
          variant={factors.length === 0 ? 'filled' : 'default'}
          leftSection={<IconShieldPlus size={17} aria-hidden />}
          onClick={() => setAdding(true)}
        >
          {t('security.add')}
        </Button>
      }
    >
      {data === undefined ? (
        <RowsSkeleton rows={1} />
      ) : (
        <Rows>
          {factors.length === 0 && (
            <Row icon={<IconDeviceMobile size={22} aria-hidden />}>
              <Text fw={550}>{t('security.none')}</Text>
              <Text size="sm" c="dimmed">
                {t('security.noneDetail')}
              </Text>
            </Row>
          )}
          {factors.map((factor) => (
            <Row
              key={factor.id}
              icon={<IconDeviceMobile size={22} aria-hidden />}
              action={
                <Button variant="subtle" color="red" size="xs" onClick={() => setRemoving(factor)}>
                  {t('security.remove')}
                </Button>
              }
            >
              <Text fw={550}>{nameOf(factor)}</Text>
              <Text size="sm" c="dimmed">
                {factor.lastUsedAt === null
                  ? t('security.neverUsed')
                  : t('security.usedAt', { when: ago(factor.lastUsedAt) })}
              </Text>
            </Row>
          ))}
          {factors.length > 0 && <Codes left={data.recoveryCodesLeft} />}
        </Rows>
      )}
      <AddFactor
        opened={adding}
        onClose={() => {
          setAdding(false)
          void refresh()
          void refreshSession()
        }}
      />
      <ConfirmDialog
        opened={removing !== null}
        title={t('security.removeTitle', { name: nameOf(removing) })}
        detail={t('security.removeDetail')}
        action={t('security.remove')}
        onClose={() => setRemoving(null)}
        onConfirm={async () => {
          if (removing === null) return
          await call('DELETE /v1/me/mfa/{id}', { params: { id: removing.id } })
          await Promise.all([refresh(), refreshSession()])
          showMessage(t('security.removed'))
        }}
      />
    </Section>
  )
}

interface AddFactorProps {
  readonly opened: boolean
  readonly onClose: () => void
}

function AddFactor({ opened, onClose }: AddFactorProps) {
  const { t } = useTranslation()
  const [label, setLabel] = useState('')
  const [named, setNamed] = useState(false)
  const close = () => {
    setNamed(false)
    setLabel('')
    onClose()
  }
  const submit = (event: FormEvent) => {
    event.preventDefault()
    setNamed(true)
  }
  return (
    <Dialog opened={opened} onClose={close} title={t('security.add')}>
      {named ? (
        <EnrolFactor
          label={label.trim() || null}
          onDone={() => {
            showMessage(t('security.added'))
            close()
          }}
        />
      ) : (
        <form onSubmit={submit}>
          <Stack>
            <TextInput
              label={`${t('factor.label')} (${t('common.optional')})`}
              description={t('factor.labelDetail')}
              maxLength={100}
              value={label}
              onChange={(event) => setLabel(event.currentTarget.value)}
              data-autofocus
            />
            <Group justify="flex-end">
              <Button variant="default" onClick={close}>
                {t('common.cancel')}
              </Button>
              <Button type="submit">{t('common.next')}</Button>
            </Group>
          </Stack>
        </form>
      )}
    </Dialog>
  )
}

function Codes({ left }: { readonly left: number }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const [asking, setAsking] = useState(false)
  const [codes, setCodes] = useState<readonly string[] | null>(null)
  const done = () => {
    setCodes(null)
    client.invalidateQueries({ queryKey: ['me', 'mfa'] }).catch(showProblem)
  }
  return (
    <Row
      icon={<IconKey size={22} aria-hidden />}
      action={
        <Button variant="default" size="xs" onClick={() => setAsking(true)}>
          {t('security.renew')}
        </Button>
      }
    >
      <Text fw={550}>{t('security.codes')}</Text>
      <Text size="sm" c="dimmed">
        {t('security.codesLeft', { count: left })}
      </Text>
      <ConfirmDialog
        opened={asking}
        title={t('security.renewTitle')}
        detail={t('security.renewDetail')}
        action={t('security.renew')}
        onClose={() => setAsking(false)}
        onConfirm={async () => setCodes((await call('POST /v1/me/mfa/recovery-codes')).recoveryCodes)}
      />
      <Dialog
        opened={codes !== null}
        onClose={done}
        title={t('security.codes')}
        // The codes are shown only once: a stray click must not close them.
        closeOnClickOutside={false}
        closeOnEscape={false}
        withCloseButton={false}
      >
        <RecoveryCodes codes={codes ?? []} onDone={done} />
      </Dialog>
    </Row>
  )
}
