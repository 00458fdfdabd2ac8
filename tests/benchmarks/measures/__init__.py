"""One file for what is measured together; each has ``measure(rig) -> list[Row]``."""
