"""The one-process mode: web server, worker and beat behind one command."""
