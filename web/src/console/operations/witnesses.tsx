import type { WitnessState } from '@akashi/contract'
import { Button, Group } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { call, useMay } from '../../api/index.ts'
import { ago } from '../../i18n/when.ts'
import { Dialog } from '../../ui/index.ts'
import { useTexts } from '../locales/index.ts'
import { CopyText } from '../parts/copy-text.tsx'
import { ExportMenu } from '../parts/export-menu.tsx'
import { Fact, Facts } from '../parts/facts.tsx'
import { FilterBar, Words } from '../parts/filter-bar.tsx'
import { useFilters } from '../parts/filters.ts'
import { Panel } from '../parts/screen.tsx'
import { ShowCommand } from '../parts/show-command.tsx'
import { Empty, Loaded } from '../parts/state.tsx'
import { Tag } from '../parts/tag.tsx'
import classes from './panel.module.css'
import { ForgetWitness, TrustWitness } from './witness-forms.tsx'

/** Who else attests that the logs only grow, and how far each has seen them. */
export function Witnesses() {
  const t = useTexts()
  const may = useMay()
  const [{ text }, change] = useFilters(['text'])
  const [asked, setAsked] = useState<'trust' | { readonly forget: string } | null>(null)
  const witnesses = useQuery({
    queryKey: ['console', 'witnesses'],
    queryFn: ({ signal }) => call('GET /v1/witnesses', { signal }),
  })
  const rows = (witnesses.data?.witnesses ?? []).filter(({ name, url }) =>
    `${name} ${url}`.toLowerCase().includes(text.toLowerCase()),
  )
  return (
    <>
      <FilterBar onClear={text === '' ? undefined : () => change({ text: '' })}>
        <Words label={t('witnesses.find')} value={text} onSearch={(words) => change({ text: words })} />
      </FilterBar>
      <Panel
        title={t('witnesses.title')}
        lead={t('witnesses.lead')}
        actions={
          <>
            {may('ledger:admin') && (
              <Button size="xs" onClick={() => setAsked('trust')}>
                {t('witnesses.trust')}
              </Button>
            )}
            <ExportMenu name="witnesses" rows={rows} columns={exported} />
            <ShowCommand cli="akashi witness list" request="GET /v1/witnesses" />
          </>
        }
      >
        <Loaded query={witnesses}>
          {() =>
            rows.length === 0 ? (
              <Empty
                title={t('witnesses.none')}
                detail={
                  <>
                    {t('witnesses.noneDetail')} <code>akashi witness serve</code>
                  </>
                }
              />
            ) : (
              <ul className={classes['list']}>
                {rows.map((witness) => (
                  <Witness
                    key={witness.name}
                    witness={witness}
                    onForget={may('ledger:admin') ? () => setAsked({ forget: witness.name }) : undefined}
                  />
                ))}
              </ul>
            )
          }
        </Loaded>
      </Panel>
      <Dialog opened={asked === 'trust'} onClose={() => setAsked(null)} title={t('witnesses.trust')}>
        <TrustWitness onDone={() => setAsked(null)} />
      </Dialog>
      <Dialog
        opened={asked !== null && asked !== 'trust'}
        onClose={() => setAsked(null)}
        title={t('witnesses.forget')}
      >
        {asked !== null && asked !== 'trust' && (
          <ForgetWitness name={asked.forget} onDone={() => setAsked(null)} />
        )}
      </Dialog>
    </>
  )
}

interface WitnessProps {
  readonly witness: WitnessState
  readonly onForget: (() => void) | undefined
}

function Witness({ witness: { name, url, key, logs, conflict }, onForget }: WitnessProps) {
  const t = useTexts()
  return (
    <li>
      <Group justify="space-between" mb="xs">
        <Group gap="xs">
          <b>{name}</b>
          <Tag tone={conflict === null ? 'good' : 'bad'}>
            {conflict === null ? t('proofs.noConflict') : t('witnesses.conflict')}
          </Tag>
        </Group>
        {onForget !== undefined && (
          <Button size="compact-xs" variant="default" onClick={onForget}>
            {t('witnesses.forget')}
          </Button>
        )}
      </Group>
      <Facts>
        {conflict !== null && <Fact term={t('witnesses.conflict')}>{conflict}</Fact>}
        <Fact term={t('witnesses.address')}>{url}</Fact>
        <Fact term={t('proofs.key')}>
          <CopyText text={key} />
        </Fact>
        {logs.map(({ log, cosignedSize, size, cosignedAt }) => (
          <Fact key={log} term={log}>
            {cosignedSize === null
              ? t('witnesses.notYet')
              : t('witnesses.upTo', {
                  cosigned: Number(cosignedSize).toLocaleString(),
                  size: Number(size).toLocaleString(),
                })}
            {cosignedAt !== null && <time dateTime={cosignedAt}>{ago(cosignedAt)}</time>}
          </Fact>
        ))}
      </Facts>
    </li>
  )
}

const exported = [
  ...(['name', 'url', 'key', 'conflict', 'logs'] as const).map((name) => ({
    name,
    value: (witness: WitnessState) => witness[name],
  })),
]
