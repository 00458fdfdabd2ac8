"""Django's SQLite backend with a fair lock around writing: the embedded mode's database."""
