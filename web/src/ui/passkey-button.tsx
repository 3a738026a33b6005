import { Button } from '@mantine/core'
import { IconFingerprint } from '@tabler/icons-react'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { askPasskey, hasPasskeys, isDismissedPasskey, type PasskeyProof } from '../api/index.ts'

interface PasskeyButtonProps {
  readonly size?: 'sm' | 'md'
  readonly onProof: (proof: PasskeyProof) => Promise<void>
  /** Null when the person tries again. */
  readonly onError: (error: unknown) => void
}

/** Asks for a passkey; nothing where the browser has none. */
export function PasskeyButton({ size = 'md', onProof, onError }: PasskeyButtonProps) {
  const { t } = useTranslation()
  const [busy, setBusy] = useState(false)
  if (!hasPasskeys()) return null
  const ask = async () => {
    setBusy(true)
    onError(null)
    try {
      await onProof(await askPasskey())
    } catch (failure) {
      if (!isDismissedPasskey(failure)) onError(failure)
    } finally {
      setBusy(false)
    }
  }
  return (
    <Button
      variant="default"
      size={size}
      fullWidth
      loading={busy}
      leftSection={<IconFingerprint size={18} aria-hidden />}
      onClick={() => void ask()}
    >
      {t('passkey.use')}
    </Button>
  )
}
