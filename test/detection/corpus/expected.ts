/** Which rules of the pack are for which kind of attack. */
import type { Expected } from './score.ts'

const guessing = [
  'brute_force_by_address',
  'brute_force_by_account',
  'password_spraying',
  'success_after_failures',
] as const
const newcomer = ['first_address_of_person', 'first_agent_of_person'] as const
const only = (...finds: string[]): Expected => ({ finds })

export const expected: Readonly<Record<string, Expected>> = {
  'password guessing from one address': { finds: ['brute_force_by_address'], also: guessing },
  'password guessing from many addresses': { finds: ['brute_force_by_account'], also: guessing },
  'password spraying': { finds: ['password_spraying'], also: guessing },
  'guessed password': { finds: ['success_after_failures'], also: [...guessing, ...newcomer] },
  'enumeration of accounts': only('user_enumeration'),
  'login of root': { finds: ['root_login'], also: newcomer },
  'refused sudo': only('sudo_refused'),
  'stopping the logs of a host': only('logging_stopped_on_host'),
  'use of the root account of AWS': only('aws_root_used'),
  'stopping the trail of AWS': only('aws_logging_stopped'),
  'key for another user of AWS': only('aws_key_for_another'),
  'network opened to the world': only('aws_network_opened'),
  'administrator rights in AWS': only('aws_administrator_attached'),
  'guessing at the console of AWS': { finds: ['aws_console_logins_failed'], also: guessing },
  'probing of permissions in AWS': only('aws_enumeration'),
  'superuser made in PostgreSQL': only('postgresql_superuser_made'),
  'program run by PostgreSQL': only('postgresql_program_run'),
  'log of PostgreSQL weakened': only('postgresql_logging_weakened'),
  'row security switched off': only('postgresql_row_security_disabled'),
  'mass drop in PostgreSQL': only('postgresql_mass_drop'),
  'password guessing at PostgreSQL': { finds: ['postgresql_brute_force'], also: guessing },
  'unusually many accesses to data': only('unusual_access_pattern'),
  'role granted to oneself': only('grant_to_oneself'),
  'misuse of API keys': only('api_key_abuse'),
  'probing of permissions': only('probing_of_permissions'),
  'unusually many operations': only('bulk_operations'),
  'unusually many accesses to confidential data': only('sensitive_data_access'),
  'changes at night': only('off_hours_access'),
  'mass export': only('mass_export'),
  'second factor removed': only('mfa_removed'),
}
