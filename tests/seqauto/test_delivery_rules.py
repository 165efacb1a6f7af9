"""How a lab wants its runs delivered: rules from the settings, and folders that would harm one another."""

from pathlib import Path

import pytest
from delivering import rules_for

from seqauto.delivery_rules import amiss_with_folders, rules_of_settings


@pytest.fixture
def rules(tmp_path):
    return rules_for(tmp_path)


def with_folders(rules, **folders):
    """The rules with other folders, which are made."""
    for folder in folders.values():
        folder.mkdir(exist_ok=True)
    return type(rules)(**{**{name: getattr(rules, name) for name in rules.__slots__}, **folders})


def test_three_folders_side_by_side_are_in_order(rules):
    assert amiss_with_folders(rules) == []


def test_every_folder_that_is_missing_is_named(rules):
    rules.backup_dir.rmdir()
    rules.fastq_dir.rmdir()
    assert amiss_with_folders(rules) == [
        f"The backup folder {rules.backup_dir} is not there.",
        f"The FASTQ folder {rules.fastq_dir} is not there.",
    ]


def test_folders_inside_one_another_are_named_with_their_parts(rules):
    (incoming,) = rules.incoming
    inside = with_folders(rules, backup_dir=incoming / "backup")
    assert amiss_with_folders(inside) == [
        f"The backup folder {incoming}/backup lies inside the incoming folder {incoming}."
    ]
    around = with_folders(rules, fastq_dir=incoming.parent)
    assert f"The incoming folder {incoming} lies inside the FASTQ folder {incoming.parent}." in (
        amiss_with_folders(around)
    )


def test_a_link_is_seen_through(rules, tmp_path):
    (tmp_path / "link").symlink_to(rules.incoming[0])
    assert amiss_with_folders(with_folders(rules, fastq_dir=tmp_path / "link")) == [
        f"The incoming folder and the FASTQ folder are the same: {rules.incoming[0]}."
    ]


def test_folders_of_like_names_are_not_inside_one_another(rules, tmp_path):
    assert amiss_with_folders(with_folders(rules, backup_dir=tmp_path / "incoming_backup")) == []


def test_rules_are_as_the_settings_say(settings):
    settings.SEQAUTO_INCOMING_DIRS = [Path("/data/incoming")]
    settings.SEQAUTO_CONTROL_SAMPLE_PATTERN = "^NTC$"
    settings.SEQAUTO_DELIVERY_ORDER = "newest_first"
    settings.SEQAUTO_S3_BUCKET_OWNER = "123456789012"
    rules = rules_of_settings()
    assert rules.roots == ["/data/incoming"]
    assert rules.control_pattern.pattern == "^NTC$"
    assert rules.newest_first
    assert rules.s3.bucket_owner == "123456789012"
    settings.SEQAUTO_CONTROL_SAMPLE_PATTERN = ""
    assert rules_of_settings().control_pattern is None
