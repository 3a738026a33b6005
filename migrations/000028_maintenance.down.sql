delete from akashi_lifecycle.jobs where name in ('analyze', 'vacuum', 'reindex', 'prune-history');
delete from akashi_lifecycle.settings where key in ('maintenance.reindex_percent', 'maintenance.reindex_min_mb');
drop function akashi_lifecycle.analyze_table(text, text);
