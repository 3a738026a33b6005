drop function audit.trigger_problems(text);
delete from lifecycle.settings where key = 'ledger.origin';
drop function audit.assert_unfiltered(regclass);
drop table audit.ledger_checkpoints;
drop table audit.ledger_tiles;
drop table audit.ledger_entries;
drop table audit.ledger_heads;
drop function audit.keep_head();
drop function audit.keep_tile();
