"""What each page is for, in a sentence or two: by the name of its address, or by the first word of it."""

PAGES: dict[str, str] = {
    "home": (
        "What happened last night and what needs a person now. What is well is quiet; every card says "
        "what to do next."
    ),
    "runs": (
        "Every run folder that scans have found on the archive disks, with what its sample sheet asks "
        "for and what is there. Filters stand in the address, so a link shows the same to a colleague."
    ),
    "run": (
        "One run: which files should be there, which are, and what happened to it from its first byte "
        "on. Files that are missing stand first, with the path where each is expected."
    ),
    "samples": (
        "Every sample that a sample sheet names. A sample leads to its files and their full paths. What "
        "lies in hidden runs shows only where it is asked for by flags, path or link. Sorted by run they "
        "stand in the order in which scans first saw the runs."
    ),
    "files": (
        "Every file that is on the archive disks or should be there, with its state. What lies in hidden "
        "runs shows only where it is asked for by flags, path or link. Sorted by run they stand in the order "
        "in which scans first saw the runs."
    ),
    "experiments": "Names that people gave to runs on the instruments, and the runs of each.",
    "sequencers": "The instruments, what each has run, and since when it is silent.",
    "messages": "What scans want people to know. A scan closes a message by itself when its cause is gone.",
    "scans": (
        "Looks at the archive disks. A scan reads them and changes nothing there; it runs by itself at "
        "the times shown, and by the button."
    ),
    "scan": (
        "One look at the archive disks: what it found, what had changed since the one before, and what "
        "it could not read."
    ),
    "trends": (
        "Weeks and months of scans, runs, disks and deliveries as charts, each with its figures as a table."
    ),
    "deliveries": (
        "Runs on their way from the instruments: backed up, converted, uploaded and proven step by "
        "step. A run that waits says for what."
    ),
    "delivery": "One run on its way: each step with what it did, its evidence, and what a person can decide.",
    "clean": (
        "Folders that could be removed because what they hold is proven to exist elsewhere, and why the "
        "others must stay. Nothing is removed without every gate open."
    ),
    "storage": "How full the disks are, when they will be full at this pace, and what each run holds where.",
    "check": (
        "Tells what is wrong with a sample sheet before a run is converted, and which FASTQs it would "
        "give. Nothing is saved."
    ),
    "search": (
        "Finds runs by any part of their name, flow cell, experiment, kit or instrument, samples by how they "
        "begin, and projects, sequencers, deliveries, file names and paths."
    ),
    "audit": "Who changed what, when and why: people and rules alike. Nothing here can be altered.",
    "server": (
        "Whether the processes behind this site are at work, and what to do when one is not. What could "
        "not be asked is called unknown."
    ),
    "password": "Gives your login another password. Nobody else sees it, not even a superuser.",
    "help": "What pages, states and error codes mean.",
}
