/** How providers of managed PostgreSQL upgrade the major version. */
import { AkashiError } from '../foundation/index.ts'
import { type Provider, readCapabilities } from '../postgres/index.ts'
import { findAddresses } from './connections.ts'
import type { Settings } from './settings.ts'

const UPGRADES: Readonly<Record<Provider, string>> = {
  rds: 'a major version upgrade of Amazon RDS (modify-db-instance --engine-version, or a blue/green deployment)',
  aurora:
    'a major version upgrade of Amazon Aurora (modify-db-cluster --engine-version, or a blue/green deployment)',
  cloudsql: 'a major version upgrade of Cloud SQL (gcloud sql instances patch --database-version)',
  azure: 'a major version upgrade of Azure Database (az postgres flexible-server upgrade)',
}

/** The error of `akashi upgrade` for a database that is not embedded. */
export async function providerUpgrade(settings: Settings): Promise<AkashiError> {
  const { adminUrl } = await findAddresses(settings)
  const { provider } = await readCapabilities(adminUrl)
  return new AkashiError('unsupported', 'akashi upgrade is for the embedded PostgreSQL', {
    hint: `${
      provider === null ? 'upgrade the server of DATABASE_URL with pg_upgrade' : `use ${UPGRADES[provider]}`
    }; afterwards run akashi migrate up and akashi verify`,
  })
}
