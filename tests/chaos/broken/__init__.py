"""An app whose parts fail while a file of their name lies in the folder ``CHAOS_FAULTS``."""
