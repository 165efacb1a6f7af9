"""What a sequencing run is: plain Python, with no Django, no settings and no database."""
