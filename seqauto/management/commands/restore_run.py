"""Give back a run from its backup, and prove it equal."""

from __future__ import annotations

import getpass
import json
import signal
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from seqauto.delivery_rules import rules_of_settings
from seqauto.restoring import RestoreRefused, restore_run
from sequencing.copying import CopyProblem


class Command(BaseCommand):
    help = (
        "Restore a run from its backup into a folder, under its own name. Each byte is read back and "
        "compared with the manifest; the run gets its name only when all are equal. Nothing that "
        "is there is touched."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME", help="The run folder's name.")
        parser.add_argument(
            "--to", required=True, type=Path, metavar="DIR", help="The folder to restore it into: DIR/NAME."
        )
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, **options: Any) -> None:
        signal.signal(signal.SIGTERM, lambda *_args: sys.exit(128 + signal.SIGTERM))
        folder = options["to"].expanduser().absolute()
        by = f"restore_run ({_login()})"
        try:
            restored = restore_run(options["name"], folder, rules_of_settings(), by, self._tell())
        except (RestoreRefused, CopyProblem) as refusal:
            raise CommandError(str(refusal)) from refusal
        except KeyboardInterrupt:
            raise CommandError("Interrupted; nothing was kept.", returncode=128 + signal.SIGINT) from None
        manifest = restored.manifest
        told = {"run": options["name"], "folder": str(restored.folder), "equal": True}
        if options["json"]:
            told |= {"files": manifest.files, "bytes": manifest.bytes, "remarks": list(restored.remarks)}
            self.stdout.write(json.dumps(told, indent=2))
        else:
            what = f"{manifest.files:,} files, {manifest.bytes:,} bytes"
            self.stdout.write(f"{restored.folder}: {what}, equal to the manifest.")
            for remark in restored.remarks:
                self.stdout.write(f"  {remark}.")

    def _tell(self) -> Any:
        """Tell on the other stream how far it is, each twentieth once."""
        told = 0

        def tell(done: int, total: int) -> None:
            nonlocal told
            if total and (twentieth := 20 * done // total) > told:
                told = twentieth
                self.stderr.write(f"{5 * twentieth} %")

        return tell


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's account without a name
        return "unknown account"
