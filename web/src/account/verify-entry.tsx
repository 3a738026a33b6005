import { canVerify, keysIn, type Verified, verifyProof } from '@akashi/client/proof'
import { Button, Group, Text } from '@mantine/core'
import { IconDownload, IconShieldCheck } from '@tabler/icons-react'
import { useMutation } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { call, Problem } from '../api/index.ts'
import { loadTexts as loadConsoleTexts } from '../console/locales/index.ts'
import { Steps } from '../console/proofs/steps.tsx'
import { download, problemText } from '../ui/index.ts'
import { useTexts } from './locales/index.ts'

interface Checked {
  readonly text: string
  readonly verified: Verified
}

/** Gets the proof of an entry and checks it in the browser, step by step. */
export function VerifyEntry({ id }: { readonly id: string }) {
  const t = useTexts()
  const { t: shell } = useTranslation()
  const check = useMutation({
    mutationFn: async (): Promise<Checked> => {
      const [{ proof, keys }] = await Promise.all([
        call('GET /v1/me/audit/{id}/proof', { params: { id } }),
        loadConsoleTexts(),
      ])
      const text = JSON.stringify(proof, null, 2)
      return { text, verified: await verifyProof(text, await keysIn(keys.join('\n'))) }
    },
  })
  if (!canVerify()) {
    return (
      <Text size="sm" c="dimmed">
        {t('insecure')}
      </Text>
    )
  }
  const isUnsealed = check.error instanceof Problem && check.error.code === 'conflict'
  return (
    <div>
      <Group gap="xs" my="sm">
        <Button
          size="xs"
          variant="light"
          loading={check.isPending}
          leftSection={<IconShieldCheck size={15} aria-hidden />}
          onClick={() => check.mutate()}
        >
          {t(check.data === undefined ? 'verify' : 'verifyAgain')}
        </Button>
        {check.data === undefined ? (
          <Text size="xs" c="dimmed">
            {t('verifyLead')}
          </Text>
        ) : (
          <Button
            size="xs"
            variant="default"
            leftSection={<IconDownload size={15} aria-hidden />}
            onClick={() => download(`proof-${id}.json`, 'application/json', check.data.text)}
          >
            {t('proofFile')}
          </Button>
        )}
      </Group>
      {check.error !== null && (
        <Text size="sm" c="red" role="alert">
          {isUnsealed ? t('notSealed') : problemText(shell, check.error)}
        </Text>
      )}
      {check.data !== undefined && <Steps checked={check.data.verified} />}
    </div>
  )
}
