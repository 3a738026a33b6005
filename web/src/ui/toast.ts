import { notifications } from '@mantine/notifications'
import i18next from 'i18next'
import { isDismissedStepUp } from '../api/index.ts'
import { problemText } from './problem-text.ts'

/** Shows a short confirmation, such as “Saved”. */
export function showMessage(message: string): void {
  notifications.show({
    message,
    color: 'ai',
    withBorder: true,
    role: 'status',
    closeButtonProps: closeButton(),
  })
}

/** Shows what went wrong. Says nothing to people who closed the identity check themselves. */
export function showProblem(error: unknown): void {
  if (isDismissedStepUp(error)) return
  notifications.show({
    message: problemText(i18next.t, error),
    color: 'red',
    withBorder: true,
    role: 'alert',
    closeButtonProps: closeButton(),
  })
}

function closeButton() {
  return { 'aria-label': i18next.t('common.close') }
}
