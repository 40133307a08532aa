"""How files are opened and written, whatever they hold."""
