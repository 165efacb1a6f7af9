"""Settings are checked once, when the site or a command starts."""
