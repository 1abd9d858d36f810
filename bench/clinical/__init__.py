"""Clinical rules on simulated records: columns, records, rules as data, and their checker."""
