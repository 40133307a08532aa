"""The hall: the only place where rooms meet."""
