"""Illumina's file formats and names, read from bytes and text into frozen values. Nothing touches a disk."""
