import type { BodyOf, ResponseOf } from '@akashi/contract'
import {
  Button,
  Group,
  SegmentedControl,
  Skeleton,
  Stack,
  Text,
  TextInput,
  useMantineColorScheme,
} from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { call, isDismissedStepUp, Problem, profileQuery, refreshSession } from '../api/index.ts'
import { isLanguage, languages } from '../i18n/index.ts'
import { chooseLanguage, schemes, useChooseScheme } from '../shell/index.ts'
import { problemText, showMessage } from '../ui/index.ts'
import { Picture } from './picture.tsx'
import classes from './profile.module.css'

import { Heading, Section, SectionBody } from './section.tsx'

type Profile = ResponseOf<'GET /v1/me'>

export function ProfilePage() {
  const { t } = useTranslation()
  const { data: profile } = useQuery(profileQuery)
  return (
    <>
      <Heading title={t('account.profile')} lead={t('profile.lead')} />
      <Section>
        <SectionBody>
          {profile === undefined ? <FormSkeleton /> : <ProfileForm profile={profile} />}
        </SectionBody>
      </Section>
      <Section title={t('profile.appearance')} lead={t('profile.appearanceLead')}>
        <SectionBody>
          <Appearance />
        </SectionBody>
      </Section>
    </>
  )
}

function ProfileForm({ profile }: { readonly profile: Profile }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const [displayName, setDisplayName] = useState(profile.displayName ?? '')
  const [username, setUsername] = useState(profile.username)
  const [error, setError] = useState<unknown>(null)
  const [busy, setBusy] = useState(false)
  const local = profile.issuer === 'local'
  const changes = changesOf(profile, { displayName, username })
  const changed = Object.keys(changes).length > 0
  const save = async (event: FormEvent) => {
    event.preventDefault()
    setBusy(true)
    setError(null)
    try {
      await call('PATCH /v1/me', { body: changes })
      await Promise.all([client.invalidateQueries({ queryKey: ['me'] }), refreshSession()])
      showMessage(t('common.saved'))
    } catch (failure) {
      setError(failure)
    } finally {
      setBusy(false)
    }
  }
  const isInvalid = (field: string) =>
    error instanceof Problem && error.errors.some(({ pointer }) => pointer === `/${field}`)
  const taken = error instanceof Problem && error.status === 409
  const isOther = error !== null && !taken && !['displayName', 'username'].some(isInvalid)
  return (
    <form onSubmit={(event) => void save(event)}>
      <Stack gap="lg">
        <Picture profile={profile} name={displayName.trim() || username} />
        <TextInput
          label={t('profile.displayName')}
          description={t('profile.displayNameDetail')}
          maxLength={100}
          autoComplete="name"
          value={displayName}
          onChange={(event) => setDisplayName(event.currentTarget.value)}
          error={isInvalid('displayName') && t('errors.invalid_input')}
        />
        <div className={classes['pair']}>
          <TextInput
            label={t('profile.username')}
            minLength={3}
            maxLength={50}
            autoComplete="username"
            autoCapitalize="off"
            spellCheck={false}
            value={username}
            onChange={(event) => setUsername(event.currentTarget.value)}
            error={
              (taken && t('profile.usernameTaken')) || (isInvalid('username') && t('errors.invalid_input'))
            }
          />
          <TextInput
            label={t('profile.email')}
            type="email"
            value={profile.email ?? ''}
            readOnly
            description={t(local ? 'profile.emailLocal' : 'profile.emailProvider')}
          />
        </div>
        {isOther && !isDismissedStepUp(error) && (
          <Text c="red" size="sm" role="alert">
            {problemText(t, error)}
          </Text>
        )}
        <Group justify="flex-end">
          <Button type="submit" loading={busy} disabled={!changed}>
            {t('common.save')}
          </Button>
        </Group>
      </Stack>
    </form>
  )
}

/** The fields that differ from what is saved; an empty name is none. */
function changesOf(
  profile: Profile,
  typed: Readonly<Record<'displayName' | 'username', string>>,
): BodyOf<'PATCH /v1/me'> {
  const displayName = typed.displayName.trim()
  const username = typed.username.trim()
  return {
    ...(displayName === (profile.displayName ?? '') ? {} : { displayName: displayName || null }),
    ...(username === profile.username ? {} : { username }),
  }
}

/** As high as the form that will replace it. */
function FormSkeleton() {
  return (
    <Stack gap="lg" h={430}>
      <Skeleton circle height={64} />
      <Skeleton height={52} />
      <Skeleton height={52} />
      <Skeleton height={52} />
    </Stack>
  )
}

function Appearance() {
  const { t, i18n } = useTranslation()
  const { colorScheme } = useMantineColorScheme()
  const chooseScheme = useChooseScheme(true)
  return (
    <div className={classes['pair']}>
      <div>
        <Text id="language-label" size="sm" fw={600} mb={6}>
          {t('language.label')}
        </Text>
        <SegmentedControl
          fullWidth
          aria-labelledby="language-label"
          value={i18n.language}
          onChange={(value) => {
            if (isLanguage(value)) chooseLanguage(value, true)
          }}
          data={languages.map((value) => ({ value, label: t(`language.${value}`) }))}
        />
      </div>
      <div>
        <Text id="scheme-label" size="sm" fw={600} mb={6}>
          {t('scheme.label')}
        </Text>
        <SegmentedControl
          fullWidth
          aria-labelledby="scheme-label"
          value={colorScheme}
          onChange={(value) => chooseScheme(schemes.find((each) => each === value) ?? 'auto')}
          data={schemes.map((value) => ({ value, label: t(`scheme.${value}`) }))}
        />
      </div>
    </div>
  )
}
