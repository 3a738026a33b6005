import { type CheckedEvidence, canVerify, readEvidenceFile, verifyEvidence } from '@akashi/client/evidence'
import type { EvidenceScope } from '@akashi/contract'
import { Button, Group, Stack, Text } from '@mantine/core'
import { IconDownload, IconShieldCheck } from '@tabler/icons-react'
import { useMutation } from '@tanstack/react-query'
import { callText } from '../api/index.ts'
import { Fact, Facts } from '../console/parts/facts.tsx'
import { Panel } from '../console/parts/screen.tsx'
import { moment } from '../i18n/when.ts'
import { download, showProblem } from '../ui/index.ts'
import classes from './room.module.css'
import { CheckedRows } from './rows.tsx'
import { useFileTexts, useTexts } from './texts.ts'

interface Fetched {
  readonly html: string
  readonly checked: CheckedEvidence | null
}

/** The logs of a link: checked and shown here, or taken away as a file. */
export function Logs({ scope }: { readonly scope: EvidenceScope }) {
  const t = useTexts()
  const file = useMutation({
    mutationFn: async (): Promise<Fetched> => {
      const html = await callText('/v1/evidence-room/file', new AbortController().signal)
      const texts = readEvidenceFile(html)
      const checked = texts === null || !canVerify() ? null : await verifyEvidence(texts.document, texts.note)
      return { html, checked }
    },
    onError: showProblem,
  })
  const { data } = file
  const save = (html: string) =>
    download(`evidence-${new Date().toISOString().slice(0, 10)}.html`, 'text/html', html)
  return (
    <Panel
      title={`${t('logs')}: ${scope.logs.join(', ')}`}
      lead={t('logsLead', { from: moment(scope.from), to: moment(scope.to) })}
    >
      <Stack gap="md">
        <Group align="flex-start" gap="xl">
          <Stack gap={4} align="flex-start">
            <Button
              leftSection={<IconShieldCheck size={17} aria-hidden />}
              loading={file.isPending}
              onClick={() => file.mutate()}
            >
              {t('check')}
            </Button>
            <Text size="sm" c="dimmed">
              {t('checkDetail')}
            </Text>
          </Stack>
          <Stack gap={4} align="flex-start">
            <Button
              variant="default"
              leftSection={<IconDownload size={17} aria-hidden />}
              disabled={file.isPending}
              onClick={() =>
                data === undefined
                  ? file.mutate(undefined, { onSuccess: ({ html }) => save(html) })
                  : save(data.html)
              }
            >
              {t('download')}
            </Button>
            <Text size="sm" c="dimmed">
              {t('downloadDetail')}
            </Text>
          </Stack>
        </Group>
        {data !== undefined && data.checked !== null && <Checked checked={data.checked} />}
      </Stack>
    </Panel>
  )
}

function Checked({ checked }: { readonly checked: CheckedEvidence }) {
  const texts = useFileTexts()
  const { verdict, problems, parts } = checked
  return (
    <Stack gap="md">
      <div className={classes['verdict']} data-verdict={verdict} role="status">
        <div className={classes['title']}>{texts.verdict[verdict]}</div>
        <Text size="sm">
          {texts.verdictDetail[verdict]} {texts.trustFile}
        </Text>
      </div>
      {problems.length > 0 && (
        <ul>
          {problems.slice(0, 50).map(({ kind, log, position, detail }) => (
            <li key={`${kind} ${log} ${position}`}>
              {texts.problem[kind]} {log !== null && <b>{texts.at(log, position)}</b>} <code>{detail}</code>
            </li>
          ))}
        </ul>
      )}
      <Facts>
        {parts.map(({ log, rows, checkpoint, quorum }) => (
          <Fact key={`${log} ${rows[0]?.position}`} term={log}>
            {`${texts.rows} ${rows.length.toLocaleString()}`}
            <span>
              {`${texts.checkpoint} ${checkpoint === null ? texts.problem.checkpoint : texts.entries(checkpoint.size)}`}
            </span>
            <span>{`${texts.witnesses}: ${texts.quorum[quorum]}`}</span>
          </Fact>
        ))}
      </Facts>
      <CheckedRows parts={parts} />
    </Stack>
  )
}
