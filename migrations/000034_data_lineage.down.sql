drop view lifecycle.data_lineage;
drop view lifecycle.partition_restores;
