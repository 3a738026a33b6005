import type { Session } from '../api/index.ts'

export default function Pending({ session }: { readonly session: Session }) {
  return session.pending
}
