delete from akashi_lifecycle.jobs where name = 'access-review';
delete from akashi_lifecycle.settings where key like 'access_review.%';
drop function akashi_auth.access_review_evidence(timestamptz, timestamptz), akashi_auth.access_review_owed(),
  akashi_auth.decide_access(uuid, uuid, text, text), akashi_auth.open_access_review(), akashi_auth.list_access_review(uuid),
  akashi_auth.list_access_reviews(), akashi_auth.access_review_states(), akashi_auth.list_access_rights(), akashi_auth.access_rights();
delete from akashi_audit.protected_tables where schema_name = 'akashi_auth'
  and table_name in ('access_reviews', 'access_review_items', 'access_review_decisions');
drop table akashi_auth.access_review_decisions, akashi_auth.access_review_items, akashi_auth.access_reviews;
drop function akashi_auth.check_access_decision();
