"""Read backups and objects in S3 again, now."""

from __future__ import annotations

import json
import signal
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from seqauto import proving
from seqauto.delivery_rules import DeliveryRules, proving_of_settings, rules_of_settings
from seqauto.models import Proof


class Command(BaseCommand):
    help = (
        "Read the backups of runs against their manifests, and their objects in S3 against what was "
        "uploaded, the oldest proof first; all of them, whatever the pace of the background is. A copy "
        "that differs "
        "shows on the run's page. Ends with 1 where a copy differs or could not be looked at."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--run", action="append", default=[], metavar="NAME", help="Only this run.")
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, **options: Any) -> None:
        signal.signal(signal.SIGTERM, lambda *_args: sys.exit(128 + signal.SIGTERM))
        found = proving.copies(options["run"])
        if unknown := sorted(set(options["run"]) - {copy.step.delivery.name for copy in found}):
            raise CommandError(f"No copy to prove is known of {', '.join(unknown)}.")
        rules, results = rules_of_settings(), []
        try:
            for copy in found:
                results.append(_prove(copy, rules))
                if not options["json"]:
                    self._print(results[-1])
        except KeyboardInterrupt:
            raise CommandError("Interrupted.", returncode=128 + signal.SIGINT) from None
        if options["json"]:
            self.stdout.write(json.dumps({"copies": results}, indent=2))
        if any(result["result"] != "equal" for result in results):
            raise CommandError("Some copies differ, or could not be looked at.")

    def _print(self, result: dict[str, Any]) -> None:
        self.stdout.write(f"{result['run']}: {Proof.What(result['what']).label}: {result['result']}")
        for sentence in result["said"]:
            self.stdout.write(f"  {sentence}")


def _prove(copy: proving.Copy, rules: DeliveryRules) -> dict[str, Any]:
    """What became of one copy: equal, differs, changed (its step began again meanwhile), or unknown."""
    said: list[str] = []
    try:
        proof = proving.prove(copy, rules, proving_of_settings())
    except proving.Unproven as trouble:
        result, said = "unknown", [str(trouble)]
    else:
        result = "changed" if proof is None else "equal" if proof.is_good else "differs"
        said = proof.differences if proof else []
    return {"run": copy.step.delivery.name, "what": copy.what.value, "result": result, "said": said}
