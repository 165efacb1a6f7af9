import hashlib
import json
import os
import shutil
import threading
from dataclasses import replace

import pytest
from faulty_proxy import error
from uploading import BELOW, NOW, PART, make_file

from sequencing.s3 import Options, UploadProblem
from sequencing.s3.reading import LocalFile


def test_every_file_arrives_and_is_proven(upload, files, server):
    uploaded = upload()
    objects = server.objects()
    assert {key: objects[key] for key in objects if not key.endswith(".json")} == {
        BELOW + file.name: file.path.read_bytes() for file in files
    }
    assert [one.key for one in uploaded] == [*(BELOW + file.name for file in files), BELOW + "meta.json"]
    assert {one.proof for one in uploaded} <= {"md5", "read_back"}
    assert not any(one.already_there for one in uploaded)


def test_meta_json_tells_each_files_size_and_md5(upload, files, server):
    upload()
    told = json.loads(server.objects()[BELOW + "meta.json"])
    assert told["project_code"] == "MUSCLE"
    assert told["files"] == [
        {"name": file.name, "size": file.size, "md5": hashlib.md5(file.path.read_bytes()).hexdigest()}
        for file in files
    ]


def test_uploading_twice_changes_nothing(upload, line, server):
    upload()
    before, asked = server.objects(), len(line.requests)
    again = upload(now=NOW.replace(hour=13))
    assert all(one.already_there for one in again)
    assert server.objects() == before
    probe = "checksum-probe"
    assert not [r for r in line.requests[asked:] if r.method == "PUT" and probe not in r.path]


def test_progress_is_told_to_the_caller_in_the_callers_thread(upload, files):
    told, threads = [], set()

    def progress(done, total):
        told.append((done, total))
        threads.add(threading.current_thread())

    upload(progress=progress)
    total = sum(file.size for file in files)
    assert told == sorted(told)
    assert told[-1] == (total, total)
    assert threads == {threading.current_thread()}


def test_a_stop_ends_the_upload_and_the_next_try_completes(upload, line, server, files):
    with pytest.raises(UploadProblem) as problem:
        upload(stop=lambda: True)
    assert problem.value.code == "stopped"
    assert BELOW + "meta.json" not in server.objects()
    assert len(upload()) == len(files) + 1


def test_what_the_caller_raises_meanwhile_ends_the_upload(upload, server):
    def progress(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        upload(progress=progress)
    assert BELOW + "meta.json" not in server.objects()


def test_a_large_file_has_at_most_10_000_parts_and_few_in_memory(tmp_path):
    path = tmp_path / "large.fastq.gz"
    path.touch()
    os.truncate(path, 200 * 1024**3)
    file = LocalFile(path, 200 * 1024**3, 8 * 1024**2)
    assert file.part_count <= 10_000
    assert file.part_bytes < 22 * 1024**2


def test_files_larger_than_memory_may_hold_pass_in_parts(upload, tmp_path, line):
    large = make_file(tmp_path / "L1_S1_R1_001.fastq.gz", 5 * PART)
    upload(outgoing=[large])
    assert max(len(request.body) for request in line.requests) == PART


@pytest.mark.parametrize("options", [{"part_bytes": 1024}, {"threads": 0}, {"attempts": 0}])
def test_options_that_cannot_work_are_refused(options):
    with pytest.raises(ValueError, match="An upload needs"):
        Options(**options)


def change_size(file, path):
    path.write_bytes(b"shorter")


def remove(file, path):
    path.unlink()


def put_a_link(file, path):
    path.rename(path.with_suffix(".elsewhere"))
    path.symlink_to(path.with_suffix(".elsewhere"))


def put_a_pipe(file, path):
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("change", [change_size, remove, put_a_link, put_a_pipe])
def test_a_file_that_is_not_what_was_judged_is_not_sent(change, upload, files, line):
    change(files[1], files[1].path)
    with pytest.raises(UploadProblem) as problem:
        upload()
    assert problem.value.code == "changed_locally"
    assert str(files[1].path) in problem.value.sentence
    assert line.requests == []


def test_a_file_that_changes_while_it_is_sent_never_becomes_an_object(upload, files, line, server):
    large = files[2]

    def fault(request, ask):
        if request.part == 1:
            with large.path.open("r+b") as stream:
                stream.write(b"changed!")
            os.utime(large.path, ns=(1, 1))
        return ask(request)

    with line.faulty(fault), pytest.raises(UploadProblem) as problem:
        upload(threads=1)
    assert problem.value.code == "changed_locally"
    assert BELOW + large.name not in server.objects()
    assert BELOW + "meta.json" not in server.objects()


def flip_a_bit(path):
    """Other bytes, of which nothing else tells."""
    status = path.stat()
    with path.open("r+b") as stream:
        stream.seek(-1, os.SEEK_END)
        last = stream.read(1)
        stream.seek(-1, os.SEEK_END)
        stream.write(bytes([last[0] ^ 1]))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def judged(file):
    md5 = hashlib.md5(file.path.read_bytes()).hexdigest()
    return replace(file, mtime_ns=file.path.stat().st_mtime_ns, md5=md5)


@pytest.mark.parametrize("number", [0, 2], ids=["whole", "in parts"])
@pytest.mark.parametrize("is_there", [False, True])
def test_promise_27_other_bytes_of_the_same_size_and_time_never_become_an_object(
    number, is_there, upload, files, server
):
    outgoing = [judged(file) for file in files]
    flip_a_bit(files[number].path)
    if is_there:
        there = server.bucket / BELOW / files[number].name
        there.parent.mkdir(parents=True)
        shutil.copy(files[number].path, there)
    with pytest.raises(UploadProblem) as problem:
        upload(outgoing=outgoing)
    assert problem.value.code == "changed_locally"
    assert str(files[number].path) in problem.value.sentence
    assert (BELOW + files[number].name in server.objects()) == is_there
    assert BELOW + "meta.json" not in server.objects()


def test_promise_27_a_file_written_after_it_was_judged_is_refused_before_asking(upload, files, line):
    outgoing = [judged(file) for file in files]
    os.utime(files[1].path, ns=(1, 1))
    with pytest.raises(UploadProblem, match="was written after it was judged") as problem:
        upload(outgoing=outgoing)
    assert problem.value.code == "changed_locally"
    assert line.requests == []


def test_what_was_judged_is_uploaded(upload, files):
    assert len(upload(outgoing=[judged(file) for file in files])) == len(files) + 1


def test_storage_class_acl_and_nothing_else_is_asked_for(upload, line):
    upload(storage_class="STANDARD_IA", acl="bucket-owner-full-control")
    written = [r for r in line.asked("PUT") if r.path.endswith("fastq.gz")] + line.asked("POST", "uploads")
    assert len(written) >= 3
    for request in written:
        if "checksum-probe" not in request.path:
            assert request.headers["x-amz-storage-class"] == "STANDARD_IA"
            assert request.headers["x-amz-acl"] == "bucket-owner-full-control"


def test_the_md5_is_told_to_no_server_before_its_proof(upload, files, line):
    upload()
    for file in files:
        md5 = hashlib.md5(file.path.read_bytes())
        for request in line.requests:
            if "meta.json" not in request.path and not request.path.endswith(".gz/"):
                told = f"{request.path} {request.headers}"
                assert md5.hexdigest() not in told


def test_a_server_without_conditions_is_written_to_without_them(upload, line, files, server):
    def fault(request, ask):
        return error(501, "NotImplemented") if "If-None-Match" in request.headers else ask(request)

    with line.faulty(fault):
        assert len(upload()) == len(files) + 1
    assert BELOW + "meta.json" in server.objects()
