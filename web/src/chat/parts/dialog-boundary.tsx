import { type ReactNode, Suspense } from 'react'
import { useTranslation } from 'react-i18next'
import { ErrorBoundary } from '../../shell/index.ts'
import { showMessage } from '../../ui/index.ts'

interface DialogBoundaryProps {
  readonly children: ReactNode
  readonly onClose: () => void
}

/** Around a dialog whose code is loaded when it opens: if that fails, it says so and the page stays. */
export function DialogBoundary({ children, onClose }: DialogBoundaryProps) {
  const { t } = useTranslation()
  return (
    <ErrorBoundary
      onError={() => {
        showMessage(t('errors.not_loaded'))
        onClose()
      }}
    >
      <Suspense>{children}</Suspense>
    </ErrorBoundary>
  )
}
