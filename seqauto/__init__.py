"""What the lab does about its runs: scan the archive, later deliver. The one Django app."""
