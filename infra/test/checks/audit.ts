import assert from 'node:assert/strict'
import type { EnvironmentParameter } from '../../lib/parameter.ts'
import type { Json } from '../support/template.ts'
import type { Check } from './check.ts'

function expectedControls({ backup }: EnvironmentParameter): Record<string, Record<string, string>> {
  const days = String(backup.retentionDays)
  return {
    BACKUP_RESOURCES_PROTECTED_BY_BACKUP_PLAN: {},
    BACKUP_PLAN_MIN_FREQUENCY_AND_MIN_RETENTION_CHECK: {
      requiredFrequencyUnit: 'days',
      requiredFrequencyValue: '1',
      requiredRetentionDays: days,
    },
    BACKUP_LAST_RECOVERY_POINT_CREATED: { recoveryPointAgeUnit: 'days', recoveryPointAgeValue: '1' },
    BACKUP_RECOVERY_POINT_MINIMUM_RETENTION_CHECK: { requiredRetentionDays: days },
    BACKUP_RECOVERY_POINT_ENCRYPTED: {},
    BACKUP_RECOVERY_POINT_MANUAL_DELETION_DISABLED: {},
    BACKUP_RESOURCES_PROTECTED_BY_BACKUP_VAULT_LOCK: { minRetentionDays: days },
    RESTORE_TIME_FOR_RESOURCES_MEET_TARGET: { maxRestoreTime: '240' },
    ...(backup.copyRegion === undefined
      ? {}
      : { BACKUP_RESOURCES_PROTECTED_BY_CROSS_REGION: { crossRegionList: backup.copyRegion } }),
    ...(backup.copyAccount === undefined
      ? {}
      : { BACKUP_RESOURCES_PROTECTED_BY_CROSS_ACCOUNT: { crossAccountList: backup.copyAccount } }),
  }
}

export const auditChecks: readonly Check[] = [
  {
    name: 'backup audit: controls for plan, age, retention, encryption, deletion, lock, restore time and copies',
    verify: (template, parameter) => {
      const frameworks = template.ofType('AWS::Backup::Framework')
      assert.equal(frameworks.length, parameter.backup.audit ? 1 : 0)
      for (const { Properties } of frameworks) {
        const controls = Properties['FrameworkControls'].map(
          ({ ControlName, ControlInputParameters, ControlScope, ...rest }: Json) => {
            assert.deepEqual(ControlScope, { Tags: [{ Key: 'Project', Value: parameter.project }] })
            assert.deepEqual(rest, {})
            const values = ControlInputParameters.map(({ ParameterName, ParameterValue }: Json) => [
              ParameterName,
              ParameterValue,
            ])
            return [ControlName, Object.fromEntries(values)]
          },
        )
        assert.deepEqual(controls, Object.entries(expectedControls(parameter)))
        for (const { ControlInputParameters } of Properties['FrameworkControls']) {
          const names = ControlInputParameters.map(({ ParameterName }: Json) => ParameterName)
          assert.equal(new Set(names).size, names.length)
        }
      }
    },
  },
  {
    name: 'backup audit: reports on backups, copies, restores and controls go to the report bucket',
    verify: (template, parameter) => {
      const plans = template.ofType('AWS::Backup::ReportPlan')
      const templates = ['BACKUP_JOB', 'COPY_JOB', 'RESTORE_JOB', 'CONTROL_COMPLIANCE'].map(
        (name) => `${name}_REPORT`,
      )
      assert.deepEqual(
        plans.map(({ Properties }) => Properties['ReportSetting'].ReportTemplate),
        parameter.backup.audit ? templates : [],
      )
      for (const { Properties } of plans) {
        const { S3BucketName, Formats, ...more } = Properties['ReportDeliveryChannel']
        assert.deepEqual(more, {})
        assert.deepEqual(Formats, ['CSV', 'JSON'])
        template.assertRefers(S3BucketName, 'AWS::S3::Bucket', 'Backup/Audit/Reports')
        const { ReportTemplate, FrameworkArns, ...settings } = Properties['ReportSetting']
        assert.deepEqual(settings, {})
        assert.equal(FrameworkArns?.length, ReportTemplate.startsWith('CONTROL') ? 1 : undefined)
        if (FrameworkArns !== undefined) {
          template.assertRefers(FrameworkArns[0], 'AWS::Backup::Framework', '', 'FrameworkArn')
        }
      }
    },
  },
]
