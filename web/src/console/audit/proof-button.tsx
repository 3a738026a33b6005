import { canVerify, verifyProof } from '@akashi/client/proof'
import { Button, Group } from '@mantine/core'
import { IconDownload, IconShieldCheck } from '@tabler/icons-react'
import { useMutation } from '@tanstack/react-query'
import { call, useMay } from '../../api/index.ts'
import { download, showProblem } from '../../ui/index.ts'
import { useTexts } from '../locales/index.ts'
import { Steps } from '../proofs/steps.tsx'
import { useServerKeys } from '../proofs/use-keys.ts'

interface ProofButtonProps {
  readonly log: string
  readonly id: string
}

/** Gets the proof of a row and checks it here, step by step; the file can be checked by anybody else. */
export function ProofButton(props: ProofButtonProps) {
  const may = useMay()
  return may('ledger:read') ? <Proof {...props} /> : null
}

function Proof({ log, id }: ProofButtonProps) {
  const t = useTexts()
  const keys = useServerKeys()
  const proof = useMutation({
    mutationFn: async () => {
      const bundle = await call('GET /v1/ledger/{log}/proofs/{row}', { params: { log, row: id } })
      const text = JSON.stringify(bundle, null, 2)
      return { text, checked: canVerify() ? await verifyProof(text, keys ?? []) : null }
    },
    onError: showProblem,
  })
  return (
    <div>
      <Group gap="xs" mb="sm">
        <Button
          size="xs"
          loading={proof.isPending}
          disabled={keys === undefined}
          leftSection={<IconShieldCheck size={15} aria-hidden />}
          onClick={() => proof.mutate()}
        >
          {t('proofs.prove')}
        </Button>
        {proof.data !== undefined && (
          <Button
            size="xs"
            variant="default"
            leftSection={<IconDownload size={15} aria-hidden />}
            onClick={() => download(`proof-${id}.json`, 'application/json', proof.data.text)}
          >
            {t('proofs.download')}
          </Button>
        )}
      </Group>
      {proof.data?.checked && <Steps checked={proof.data.checked} />}
    </div>
  )
}
