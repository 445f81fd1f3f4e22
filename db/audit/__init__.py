"""Who changed what: row changes of accounts by trigger, and security events by record."""
