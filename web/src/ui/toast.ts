import { notifications } from '@mantine/notifications'
import i18next from 'i18next'
import { problemText } from './problem-text.ts'

/** Says for a moment that something was done. */
export function tell(message: string): void {
  notifications.show({ message, color: 'ai', withBorder: true, closeButtonProps: closeButton() })
}

/** Says for a moment what went wrong. */
export function tellProblem(error: unknown): void {
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
