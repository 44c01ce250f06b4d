"""Pages that open from disk: one file each, no network, nothing in a label is markup."""
