drop trigger approve_setting on akashi_lifecycle.settings;
drop function akashi_auth.approve_setting(), akashi_auth.use_approval(text, text, jsonb), akashi_auth.require_approval(text, text), akashi_auth.refuse_unapproved(text, text),
  akashi_auth.is_approved(text, text), akashi_auth.approval_of(text, text, jsonb), akashi_auth.approving(akashi_auth.approvals),
  akashi_auth.withdraw_approval(uuid), akashi_auth.confirm_approval(uuid), akashi_auth.open_approval(uuid),
  akashi_auth.request_approval(text, text, jsonb, text), akashi_auth.record_approval(text, akashi_auth.approvals),
  akashi_auth.add_confirmation(akashi_auth.approvals), akashi_auth.is_settled(uuid, text), akashi_auth.confirmed_person(),
  akashi_auth.acting_name(), akashi_auth.approval_permission(text);
drop table akashi_auth.approval_confirmations, akashi_auth.approvals;
delete from akashi_auth.security_policies where key like 'approval.%';
