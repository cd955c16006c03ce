"""Parts of the ledger search. May import what `services.office` may."""
