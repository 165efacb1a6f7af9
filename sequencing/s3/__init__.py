"""Uploads a project's FASTQs to S3 and proves that they arrived. The client (boto3's) is passed in.

Begin at `upload.py`, which tells the story; `evidence.py` tells what counts as a proof.
"""

from .bucket import abort_leftovers, check_bucket
from .calls import Calls, Options, UploadProblem, client_settings
from .names import META_NAME, ProjectRun, meta_bytes, meta_document, project_prefix
from .proving import KnownObject, Look, prove_objects
from .sending import Uploaded
from .upload import Outgoing, upload_project

__all__ = [
    "META_NAME",
    "Calls",
    "KnownObject",
    "Look",
    "Options",
    "Outgoing",
    "ProjectRun",
    "UploadProblem",
    "Uploaded",
    "abort_leftovers",
    "check_bucket",
    "client_settings",
    "meta_bytes",
    "meta_document",
    "project_prefix",
    "prove_objects",
    "upload_project",
]
