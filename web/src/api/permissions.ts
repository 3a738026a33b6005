import { useSession } from './session.ts'

/** Whether the permissions include one; `resource:admin` includes the other actions of its resource. */
function includes(permissions: readonly string[], wanted: string): boolean {
  const [resource = ''] = wanted.split(':')
  return permissions.includes(wanted) || permissions.includes(`${resource}:admin`)
}

/** What the caller may do, to leave out what the server would refuse. */
export function useMay(): (permission: string) => boolean {
  const { permissions } = useSession()
  return (permission) => includes(permissions, permission)
}
