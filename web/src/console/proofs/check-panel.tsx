import { canVerify, keysIn, type Verified, verifyProof } from '@akashi/client/proof'
import { Alert, Button, FileButton, Textarea } from '@mantine/core'
import { IconFileUpload, IconInfoCircle } from '@tabler/icons-react'
import { type DragEvent, useState } from 'react'
import { useTexts } from '../locales/index.ts'
import { Panel } from '../parts/screen.tsx'
import classes from './check-panel.module.css'
import { Steps } from './steps.tsx'
import { useServerKeys } from './use-keys.ts'

/** Checks a proof file in the browser, with this server's keys or with keys obtained elsewhere. */
export function CheckPanel() {
  const t = useTexts()
  const serverKeys = useServerKeys()
  const [pinned, setPinned] = useState('')
  const [file, setFile] = useState<{ readonly name: string; readonly text: string } | null>(null)
  const [checked, setChecked] = useState<Verified | null>(null)
  const [over, setOver] = useState(false)
  const check = async (text: string, keysText: string) => {
    const keys = keysText.trim() === '' ? (serverKeys ?? []) : await keysIn(keysText)
    setChecked(await verifyProof(text, keys))
  }
  const take = async (given: File | null | undefined) => {
    if (given === null || given === undefined) return
    const text = await given.text()
    setFile({ name: given.name, text })
    await check(text, pinned)
  }
  const onDrop = (event: DragEvent) => {
    event.preventDefault()
    setOver(false)
    void take(event.dataTransfer.files[0])
  }
  if (!canVerify()) {
    return (
      <Panel title={t('proofs.check')}>
        <Alert icon={<IconInfoCircle size={18} />}>{t('proofs.insecure')}</Alert>
      </Panel>
    )
  }
  return (
    <Panel title={t('proofs.check')} lead={t('proofs.checkLead')}>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the button inside does the same without a pointer */}
      <div
        className={classes['drop']}
        data-over={over || undefined}
        onDragOver={(event) => {
          event.preventDefault()
          setOver(true)
        }}
        onDragLeave={() => setOver(false)}
        onDrop={onDrop}
      >
        <FileButton accept=".json,application/json" onChange={(given) => void take(given)}>
          {(props) => (
            <Button {...props} variant="default" leftSection={<IconFileUpload size={17} aria-hidden />}>
              {t('proofs.choose')}
            </Button>
          )}
        </FileButton>
        <span className={classes['hint']}>{file === null ? t('proofs.drop') : file.name}</span>
      </div>
      <Textarea
        mt="md"
        label={t('proofs.pinned')}
        description={t('proofs.pinnedDetail')}
        placeholder="log akashi.local/7f3a2c91d0be/audit_logs+4a1c0f2e+AXx…"
        autosize
        minRows={2}
        maxRows={6}
        value={pinned}
        onChange={(event) => {
          setPinned(event.currentTarget.value)
          if (file !== null) void check(file.text, event.currentTarget.value)
        }}
      />
      {checked !== null && (
        <div className={classes['result']}>
          {pinned.trim() === '' && (
            <Alert variant="light" icon={<IconInfoCircle size={18} />} mb="md">
              {t('proofs.serverKeys')}
            </Alert>
          )}
          <Steps checked={checked} />
        </div>
      )}
    </Panel>
  )
}
