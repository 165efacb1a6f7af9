"""A process that uploads, for tests that kill it: arguments are the endpoint and the files, as JSON."""

import json
import sys
from pathlib import Path

sys.path[:0] = [str(Path.cwd()), str(Path(__file__).parent)]

from uploading import BUCKET, NOW, QUICK, RUN, make_client  # noqa: E402

from sequencing.s3 import Options, Outgoing, upload_project  # noqa: E402

endpoint, files = json.loads(sys.argv[1])
options = Options(**QUICK)
outgoing = [Outgoing(Path(path), name, size) for path, name, size in files]
upload_project(make_client(endpoint, options), BUCKET, "lab", RUN, outgoing, options, now=NOW)
