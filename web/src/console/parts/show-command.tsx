import { ActionIcon, Button, CopyButton, Popover, Tooltip } from '@mantine/core'
import { IconCheck, IconCopy, IconTerminal2 } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import { useTexts } from '../locales/index.ts'
import classes from './show-command.module.css'

interface ShowCommandProps {
  /** The command line that does the same. */
  readonly cli?: string
  /** The request that the page makes: `GET /v1/…`. */
  readonly request?: string
}

/** How to do the same without the page. */
export function ShowCommand({ cli, request }: ShowCommandProps) {
  const t = useTexts()
  return (
    <Popover position="bottom-end" width={440} withinPortal trapFocus>
      <Popover.Target>
        <Button variant="default" size="xs" leftSection={<IconTerminal2 size={15} aria-hidden />}>
          {t('common.command')}
        </Button>
      </Popover.Target>
      <Popover.Dropdown aria-label={t('common.command')}>
        {cli !== undefined && <Line label={t('common.commandLine')} text={cli} />}
        {request !== undefined && <Line label={t('common.request')} text={request} />}
      </Popover.Dropdown>
    </Popover>
  )
}

function Line({ label, text }: { readonly label: string; readonly text: string }) {
  const { t } = useTranslation()
  return (
    <div className={classes['line']}>
      <div className={classes['label']}>{label}</div>
      <div className={classes['code']}>
        <code>{text}</code>
        <CopyButton value={text}>
          {({ copied, copy }) => (
            <Tooltip label={copied ? t('common.copied') : t('common.copy')}>
              <ActionIcon
                variant="subtle"
                color="gray"
                aria-label={copied ? t('common.copied') : t('common.copy')}
                onClick={copy}
              >
                {copied ? <IconCheck size={16} /> : <IconCopy size={16} />}
              </ActionIcon>
            </Tooltip>
          )}
        </CopyButton>
      </div>
    </div>
  )
}
