"""Every code of an error or warning: what it means, an example of it, and what to do.

A code that SeqAuto can say and that stands here not fails a test, and so does one that nothing says any more.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Explained:
    """A code in three sentences for people."""

    means: str
    example: str
    remedy: str


_SHEETS = {
    "empty_file": Explained(
        "The file is there and holds nothing.",
        "SampleSheet.csv of 0 bytes, left by a copy that was cut short.",
        "Copy it once more from where it was written.",
    ),
    "too_large": Explained(
        "The file is much larger than its kind ever is, so it is not read.",
        "A SampleSheet.csv of 20 MB that is an archive under a wrong name.",
        "See that it is the right file.",
    ),
    "too_many_lines": Explained(
        "The sheet has more lines than any sample sheet has.",
        "A table saved with a million empty lines below the samples.",
        "Delete the lines below the last sample and save it as CSV again.",
    ),
    "not_text": Explained(
        "The file is no text.",
        "An Excel workbook that was renamed to SampleSheet.csv.",
        "Open it in the program that wrote it, and save it as CSV.",
    ),
    "encoding": Explained(
        "The text is in another encoding than UTF-8, or says a wrong one of itself. It was read as well as "
        "it could be.",
        "A sheet of an old Windows program, with “µ” as the byte B5.",
        "Save it as CSV UTF-8, and look at names with letters beyond a to z.",
    ),
    "open_quote": Explained(
        "A quotation mark begins a cell and none ends it, so the lines after it may have been taken for its "
        "text.",
        'A description such as 5" tube.',
        "Remove the quotation mark.",
    ),
    "no_data_section": Explained(
        "The sheet has no section of samples.",
        "A sheet that ends after [Settings].",
        "Add [Data] or [BCLConvert_Data] with a line of column names and the samples below it.",
    ),
    "no_sample_id_column": Explained(
        "The line below the section's name has no column Sample_ID.",
        "A heading line that begins with “Sample”.",
        "Name the column Sample_ID.",
    ),
    "no_samples": Explained(
        "The section of samples is there, and empty.",
        "A template that was never filled in.",
        "Add a row for each sample.",
    ),
    "no_sample_id": Explained(
        "A row names no sample.",
        "A row of lane and index whose first cell is empty.",
        "Fill in the Sample_ID, or remove the row.",
    ),
    "text_before_sections": Explained(
        "Text stands above the first section. It is not read.",
        "A title that somebody typed above [Header].",
        "Remove it.",
    ),
    "text_before_columns": Explained(
        "Text stands between the section's name and its column names. It is not read.",
        "A comment below [Data].",
        "Remove it.",
    ),
    "duplicate_section": Explained(
        "Two sections have the same name, and only one of them is used.",
        "[Data] twice, after two sheets were joined by hand.",
        "Join the two.",
    ),
    "duplicate_column": Explained(
        "Two columns have the same name, and only the first is read.",
        "Two columns Sample_Project.",
        "Remove one of them.",
    ),
    "repeated_columns": Explained(
        "The line of column names stands a second time among the samples. It is passed over.",
        "Two tables pasted one below the other.",
        "Remove the second line.",
    ),
    "long_row": Explained(
        "A row has more cells than there are columns, mostly because a name holds a comma.",
        "“Smith, John” without quotation marks in the description.",
        "Put quotation marks around it, or remove the comma.",
    ),
    "short_row": Explained(
        "A row ends before the last column. What is missing counts as empty.",
        "A row without the commas at its end.",
        "Fill in what is missing, if anything is.",
    ),
    "hostile_name": Explained(
        "A name cannot become a part of a path, an address in S3 or a command: it is refused before anything "
        "is "
        "made of it.",
        "A Sample_ID of ../../etc, or one with a line break in it.",
        "Use letters, digits, hyphen and underscore.",
    ),
    "unsafe_name": Explained(
        "A name has characters that converters, systems or programs after them do not take as they are.",
        "Sample 12 (b), with a space and brackets.",
        "Use letters, digits, hyphen and underscore. What is sent elsewhere is named in "
        "SEQAUTO_AFTER_UPLOAD.",
    ),
    "bad_lane": Explained(
        "A lane is no number.",
        "L1 in the column Lane.",
        "Write 1, 2, 3 and so on.",
    ),
    "lane_out_of_range": Explained(
        "No instrument has a lane of that number.",
        "Lane 9.",
        "Correct it.",
    ),
    "some_rows_without_lane": Explained(
        "Some rows name a lane and some do not, so nobody knows where the latter belong.",
        "Two rows added at the end without a lane.",
        "Fill in the lane of every row.",
    ),
    "differing_sample": Explained(
        "A sample stands on several rows that do not agree about it, so its FASTQs would get two names.",
        "H-2230 is HAEM in lane 1 and HAEM2 in lane 2.",
        "Make the rows agree, or give the two samples two ids.",
    ),
    "case_clash": Explained(
        "Two names differ by capitals only: on Windows and macOS disks they are one file.",
        "Na12878 and NA12878.",
        "Write them alike, or give one another name.",
    ),
    "missing_index": Explained(
        "Several samples share a lane, and one has no index to tell it by.",
        "A row whose index cell is empty.",
        "Fill in its index.",
    ),
    "bad_index": Explained(
        "An index has other letters than A, C, G, T and N.",
        "TAAGGCGA- with a hyphen at its end.",
        "Correct it.",
    ),
    "index_set_name": Explained(
        "The index is the name of a set, as for 10x kits, and not a sequence. Illumina's converters do not "
        "know it.",
        "SI-GA-A1.",
        "Write its four sequences on four rows, or convert with the kit's own program.",
    ),
    "mixed_index_lengths": Explained(
        "Indexes of one lane are of different lengths.",
        "Eight bases on most rows, ten on one.",
        "Correct the odd one, or split the lane by settings of the converter.",
    ),
    "duplicate_row": Explained(
        "Two rows are the same.",
        "A row that was pasted twice.",
        "Remove one of them.",
    ),
    "duplicate_index": Explained(
        "Two samples of one lane have the same index: their reads cannot be told apart.",
        "TAAGGCGA+TAGATCGC on rows 14 and 22.",
        "Look at the plate, and correct one of the two.",
    ),
    "index_collision": Explained(
        "Two indexes of one lane differ so little that, with the mismatches allowed, a read can belong to "
        "both.",
        "Two bases differ, one mismatch is allowed in each.",
        "Allow fewer mismatches in the sheet, or use other indexes.",
    ),
    "index_close_alone": Explained(
        "One index of a pair is close to that of another sample. Both together still tell them apart.",
        "i7 differs by one base, i5 by eight.",
        "Nothing, unless the run is converted by i7 alone.",
    ),
    "index2_direction": Explained(
        "The i5 indexes look as if they were written for the other kind of instrument: reversed and "
        "complemented.",
        "A sheet of a MiSeq used for a NovaSeq.",
        "Compare with the kit's table for this instrument; reverse and complement the column if it is so.",
    ),
    "index_reversed": Explained(
        "The converter reads the second index the other way round than the sheet has it; SeqAuto turns it "
        "for the "
        "converter.",
        "A NextSeq run converted with Picard.",
        "Nothing, if the samples get the reads that they should.",
    ),
    "sheet_family": Explained(
        "This converter does not read this version of the sheet.",
        "A sheet of version 2 and bcl2fastq.",
        "Write the sheet in the other version, or use the other converter.",
    ),
    "more_problems": Explained(
        "There are so many problems that only the first are listed.",
        "A thousand rows with the same mistake.",
        "Mend these and check again.",
    ),
    "index_longer_than_read": Explained(
        "An index has more bases than the run has cycles for it.",
        "Ten bases, and an index read of eight cycles.",
        "Shorten the indexes to the cycles read, or see whether this is the run's sheet.",
    ),
    "index_shorter_than_read": Explained(
        "An index has fewer bases than the run has cycles for it. The rest must be masked.",
        "Six bases, and an index read of eight cycles.",
        "Add OverrideCycles to the sheet, or the missing bases.",
    ),
    "no_such_index_read": Explained(
        "The sheet gives an index for which the run has no read.",
        "A column index2 in a run with one index read.",
        "Remove the column, or see whether this is the run's sheet.",
    ),
    "lane_beyond_flow_cell": Explained(
        "The sheet names a lane that the run's flow cell does not have.",
        "Lane 2 of a MiSeq.",
        "Correct the lane, or see whether this is the run's sheet.",
    ),
    "override_cycles_do_not_fit": Explained(
        "OverrideCycles in the sheet adds up to other reads than the run has.",
        "Y151;I8;I8;Y151 for a run of 101 cycles.",
        "Correct it by the run's RunInfo.xml.",
    ),
}

_XML = {
    "not_xml": Explained(
        "The file breaks off or is no XML.",
        "A RunInfo.xml whose second half is missing.",
        "Copy it from the instrument's run folder once more.",
    ),
    "forbidden_xml": Explained(
        "The file has a document type or entities, which instruments never write and attackers do.",
        "A RunInfo.xml that begins with <!DOCTYPE.",
        "Ask where the file comes from. Copy the instrument's own.",
    ),
    "not_run_info": Explained(
        "The file is XML, and not a RunInfo.xml.",
        "RunParameters.xml under the name RunInfo.xml.",
        "Copy the instrument's RunInfo.xml.",
    ),
    "not_run_parameters": Explained(
        "The file is XML, and not a RunParameters.xml.",
        "RunInfo.xml under the name RunParameters.xml.",
        "Copy the instrument's RunParameters.xml.",
    ),
    "no_run_id": Explained(
        "RunInfo.xml does not say which run it is of.",
        "A file that a script wrote.",
        "Copy the instrument's own.",
    ),
    "no_reads": Explained(
        "RunInfo.xml lists no reads, so nobody knows which FASTQs to expect.",
        "An empty element Reads.",
        "Copy the instrument's own.",
    ),
    "bad_read": Explained(
        "A read's number of cycles, or the number of reads, makes no sense.",
        "NumCycles=“abc”.",
        "Copy the instrument's own.",
    ),
    "missing_field": Explained(
        "RunInfo.xml leaves out something that is useful to know. It is shown as unknown.",
        "No element Flowcell.",
        "Nothing, unless it matters to you.",
    ),
    "bad_date": Explained(
        "The date of the run cannot be read. The one in the folder's name is used.",
        "<Date>soon</Date>.",
        "Nothing, unless it matters to you.",
    ),
    "bad_count": Explained(
        "A number, such as that of lanes, cannot be read. It is shown as unknown.",
        "LaneCount=“four”.",
        "Copy the instrument's own, if it matters.",
    ),
    "too_long": Explained(
        "A text is longer than anything that stands there, or a conversion took longer than it may.",
        "An experiment's name of 5,000 characters; a conversion of 25 hours.",
        "See that the file is the right one. For a conversion: read in its log why, or raise "
        "SEQAUTO_CONVERTER_HOURS.",
    ),
}

_SCANS = {
    "no_run_info": Explained(
        "The run folder has no RunInfo.xml, or one that cannot be read. A scan goes by the folder's name and "
        "the "
        "FASTQs found; a conversion waits.",
        "An archive that kept the FASTQs only.",
        "Copy RunInfo.xml from the instrument's run folder.",
    ),
    "no_run_parameters": Explained(
        "The run folder has no RunParameters.xml, so the name of the experiment is not known.",
        "An archive that kept the FASTQs only.",
        "Copy it from the instrument's run folder, if the name is wanted.",
    ),
    "no_run_name": Explained(
        "The folder is not named as instruments name runs.",
        "exome_march instead of 260323_M02027_0133_000000000-LK2P9.",
        "Give it the name that the instrument gave it.",
    ),
    "no_sample_sheet": Explained(
        "The run has no SampleSheet.csv, so nobody knows which FASTQs to expect.",
        "A run whose sheet stayed on the instrument's computer.",
        "Put the run's sheet into the run folder as SampleSheet.csv, then scan again.",
    ),
    "sample_sheet_gone": Explained(
        "The sample sheet was there and is not any more. The last version seen still says what to expect.",
        "A sheet that was moved while it was corrected.",
        "Put it back: the run's page has the text of every version.",
    ),
    "older_sheet_in_force": Explained(
        "The sheet of today has errors. Files are judged by the last version without any.",
        "A sheet that was saved half-finished.",
        "Mend the sheet as its other messages say, then scan again.",
    ),
    "sheet_changed": Explained(
        "The sample sheet has a new version. During a conversion that stops it, for the FASTQs would fit "
        "neither.",
        "An index was corrected.",
        "After a scan: look what changed, on the run's page. During a conversion: check the sheet, then "
        "Retry.",
    ),
    "unreadable_folder": Explained(
        "A folder may not be read by SeqAuto's account, or its disk does not answer. Nothing in it counts as "
        "missing.",
        "A folder that belongs to a colleague only.",
        "Let SeqAuto's account read it, then scan again.",
    ),
    "unreadable_file": Explained(
        "A file may not be read by SeqAuto's account, or its disk does not answer.",
        "A SampleSheet.csv that only its owner may read.",
        "Let SeqAuto's account read it, then scan again.",
    ),
    "unreadable_run": Explained(
        "A run folder could not be read. Its files keep their states.",
        "A folder that belongs to a colleague only.",
        "Let SeqAuto's account read it, then scan again.",
    ),
    "passed_over": Explained(
        "Something in the archive was not looked at, because of its name or because it is a link that leads "
        "away.",
        "A file whose name is no text, or a link to another disk.",
        "Nothing, unless it is of the run: then give it another name or put the file itself there.",
    ),
    "folder_without_run": Explained(
        "A folder of the archive holds no run.",
        "A folder of notes beside the runs.",
        "Move it out of the archive, or name it in SEQAUTO_SKIP_PATTERNS.",
    ),
    "root_not_scanned": Explained(
        "An archive disk is not there, cannot be read, or has lost more of its files than can be true. No "
        "state of "
        "its files was changed.",
        "A disk that was not mounted after a restart.",
        "Mount it and scan again. If the files were really removed, scan with --accept-missing.",
    ),
    "run_deleted": Explained(
        "A run folder that was here is gone. Its files count as deleted.",
        "A run that was moved to tape.",
        "Nothing if that was meant. If not, restore the folder and scan again.",
    ),
    "run_not_found": Explained(
        "A run was not found, and it may be that its disk is away. Its files keep their states.",
        "An empty folder where a disk is mounted otherwise.",
        "Mount the disk or restore the folder. If the run was deleted, remove the empty folder, or scan with "
        "--accept-missing.",
    ),
    "run_moved": Explained(
        "A run was found in another place than before. It is still the same run.",
        "A run that was moved into the folder of its kit.",
        "Nothing.",
    ),
    "run_twice": Explained(
        "Two folders say that they are the same run. Neither is preferred and nothing is overwritten.",
        "A copy that somebody made to be safe.",
        "Find out which is the copy; move it out of the archive, or put the marker for skipping into it.",
    ),
    "run_failed": Explained(
        "The instrument says that the run has failed or was cancelled.",
        "RunCompletionStatus.xml tells of an error.",
        "Look at the instrument. Such a run is never delivered by itself.",
    ),
    "files_missing": Explained(
        "Files that the run should have are not there.",
        "22 of 24 FASTQs found.",
        "The run's page lists their paths first. Find out whether they were ever copied there, then scan "
        "again.",
    ),
    "empty_fastq": Explained(
        "A FASTQ is there and holds no reads.",
        "A water control, or a sample with a wrong index.",
        "For a control nothing. For a sample check its index in the sheet.",
    ),
    "second_file": Explained(
        "Two files are of the same sample, lane and read.",
        "FASTQs converted twice, with and without lanes in their names.",
        "Keep one set, move the other elsewhere.",
    ),
    "nothing_expected": Explained(
        "The sheet names no sample from which FASTQs would come.",
        "A sheet of controls only.",
        "Correct the sample sheet.",
    ),
    "unexpected_error": Explained(
        "SeqAuto itself failed at this run. The other runs are not affected.",
        "A kind of file that nobody thought of.",
        "Report it with the stack trace. The next scan tries again.",
    ),
}

_BACKUPS = {
    "no_folder": Explained(
        "A folder of the settings is not named, not there, or empty although it was not before.",
        "The backup disk was not mounted after a restart.",
        "Mount its disk, or correct the setting; then Retry.",
    ),
    "no_space": Explained(
        "The disk is full, or a quota is used up. Nothing half-made got its final name.",
        "The backup of a NovaSeq run on a disk with 200 GB left.",
        "Make room (see Storage and Safe to delete), then Retry.",
    ),
    "io_error": Explained(
        "A disk failed while it was read or written.",
        "Input/output error, stale NFS handle.",
        "Check the disk and its mount, then Retry.",
    ),
    "disk_error": Explained(
        "A disk failed while base calls were converted.",
        "Input/output error, stale NFS handle.",
        "Check that the disk answers, then Retry.",
    ),
    "unreadable": Explained(
        "SeqAuto's account may not read something in the run, so a copy would not be whole.",
        "A file that only the instrument's account may read.",
        "Let SeqAuto's account read it, then Retry.",
    ),
    "empty": Explained(
        "The run folder holds no file. An empty folder is never a run that was backed up.",
        "A mount point without its disk.",
        "See whether its disk is mounted.",
    ),
    "source_changed": Explained(
        "Files of the run changed while it was copied. Such a copy is never called verified.",
        "The instrument was still writing.",
        "Wait until it lies still, then Retry.",
    ),
    "unsafe": Explained(
        "Something in the run cannot be copied faithfully, such as a link that leads out of it.",
        "A link to /data/references.",
        "Put the file itself there, or remove the link; then Retry.",
    ),
    "conflict": Explained(
        "Another thing stands where this one belongs, with other content. Nothing is overwritten.",
        "An object in S3 of the same run number, from another year.",
        "Find out whose it is. Move one of the two, then Retry; for FASTQs, Convert again makes a new set.",
    ),
    "damaged": Explained(
        "A backup is not what its manifest says.",
        "One byte of a BCL has changed on the backup disk.",
        "If the run folder is still there, move the damaged backup away and Retry. Do not remove anything "
        "else.",
    ),
    "differs": Explained(
        "A copy that was proven once was read again, and is not what it was: the backup, or objects in S3.",
        "One byte of a BCL has changed on the backup disk.",
        "Remove nothing. Mend the copy, or move it away and Retry while what it was made of is still there; "
        "manage.py verify_runs then proves it.",
    ),
    "stopped": Explained(
        "It was stopped before its end, and goes on where it was.",
        "The server was shut down.",
        "Retry, if it does not begin by itself.",
    ),
    "busy": Explained(
        "Another process is at work on the same thing.",
        "Two workers after a restart.",
        "Wait for its end.",
    ),
}

_CONVERSIONS = {
    "no_sheet": Explained(
        "The run has no sample sheet, so it cannot be converted.",
        "A run whose sheet stayed on the instrument's computer.",
        "Put SampleSheet.csv into the run folder, then Retry.",
    ),
    "sheet": Explained(
        "The sample sheet has errors with which the converter would not start. All of them are listed.",
        "The same index on two rows.",
        "Mend the sheet and Retry; or override an error, with a reason, if it is none.",
    ),
    "unsafe_sheet": Explained(
        "A setting in the sheet would make the converter read or write elsewhere.",
        "A path among the settings.",
        "Remove it from the sheet.",
    ),
    "no_converter": Explained(
        "No converter is installed where deliveries work.",
        "A new server.",
        "Install bcl-convert, bcl2fastq or Debian's picard-tools, or name its path in "
        "SEQAUTO_CONVERTER_PROGRAMS.",
    ),
    "cannot_convert": Explained(
        "The converter that is installed cannot convert this kind of run.",
        "Picard, and the CBCL files of a NovaSeq.",
        "Install bcl-convert, then Retry.",
    ),
    "picard_cannot": Explained(
        "The sheet asks for something that Picard cannot do.",
        "UMIs in OverrideCycles.",
        "Install bcl-convert, or change the sheet.",
    ),
    "adapters_not_trimmed": Explained(
        "Picard leaves adapters in the reads although the sheet names them.",
        "AdapterRead1 in the settings.",
        "Trim them afterwards, or convert with bcl-convert.",
    ),
    "failed": Explained(
        "The converter ended with an error.",
        "A BCL file that is cut short.",
        "Read the end of its log, on the delivery's page.",
    ),
    "died": Explained(
        "The converter was ended from outside, mostly because memory ran out.",
        "Signal 9.",
        "See that the machine has memory left; lower SEQAUTO_CONVERTER_MEMORY_MB or _THREADS; then Retry.",
    ),
    "silent": Explained(
        "The converter did nothing for too long and was ended.",
        "A network disk that hangs.",
        "Check that its disks answer, then Retry.",
    ),
    "output_not_ours": Explained(
        "Where the FASTQs are to be made lies something that SeqAuto did not make.",
        "A folder of the same name, copied there by hand.",
        "Move it elsewhere, then Retry.",
    ),
    "fastqs": Explained(
        "The converter said that all is well, and the FASTQs are not as they should be. They are not "
        "published.",
        "A FASTQ that is missing, truncated, or of no sample of the sheet.",
        "Look at the list below it. Retry after the cause is mended.",
    ),
    "missing_fastq": Explained(
        "A FASTQ that the sheet asks for was not made.",
        "R2 of one sample.",
        "Read the converter's log, then Retry.",
    ),
    "unexpected_fastq": Explained(
        "A FASTQ is of no sample, lane or read of the sheet.",
        "FASTQs of another run in the same folder.",
        "See that this is the run's sheet, and that nothing else lies there.",
    ),
    "truncated_fastq": Explained(
        "A FASTQ ends in the middle.",
        "A full disk, or a worker that was killed.",
        "Convert again.",
    ),
    "pair_differs": Explained(
        "R1 and R2 of a sample do not hold the same number of reads.",
        "R2 ends early.",
        "Convert again.",
    ),
    "wrong_sample": Explained(
        "The reads in a FASTQ carry another index than its sample has.",
        "Two files that were exchanged.",
        "Convert again, and look at the log.",
    ),
    "linked_fastq": Explained(
        "A FASTQ is a link, which may lead anywhere.",
        "An analysis folder that was moved and linked.",
        "Put the file itself there.",
    ),
    "not_read_through": Explained(
        "A FASTQ is of a kind that SeqAuto cannot read through, so its content was not checked.",
        "A file that ends with .ora.",
        "Let the instrument write .gz, to have it checked.",
    ),
    "on_board": Explained(
        "The instrument converts this run itself, and has not finished.",
        "A NovaSeq X whose Analysis folder is not complete.",
        "Wait, then Retry; or override it to convert the run here.",
    ),
    "on_board_not_ready": Explained(
        "The instrument's own analysis is not complete, or has made no FASTQs.",
        "Analysis/1 without its marker.",
        "Wait, then Retry; or override it to convert the run here.",
    ),
}

_UPLOADS = {
    "no_bucket": Explained(
        "No bucket is named, or there is none of that name.",
        "A misspelt SEQAUTO_S3_FASTQ_BUCKET.",
        "Check the names of bucket, endpoint and region in the settings.",
    ),
    "no_access": Explained(
        "S3 does not let this account in, or the bucket belongs to another one. Nothing was sent.",
        "The wrong profile.",
        "Check credentials, SEQAUTO_S3_PROFILE and SEQAUTO_S3_BUCKET_OWNER, then Retry.",
    ),
    "expired_credentials": Explained(
        "The credentials for S3 have run out.",
        "A session token of last week.",
        "Renew them, then Retry.",
    ),
    "unavailable": Explained(
        "S3 did not answer for minutes, although it was asked many times.",
        "The network is down.",
        "See that S3 and the network are up, then Retry.",
    ),
    "unverified": Explained(
        "An object could not be proven equal to the file here. It does not count as uploaded.",
        "A server that answers with a wrong checksum.",
        "Look at the object. Remove it if it is damaged, then Retry.",
    ),
    "changed_locally": Explained(
        "A FASTQ changed between its conversion and its upload.",
        "Somebody compressed it anew.",
        "Convert again, or put the file back as it was.",
    ),
    "nothing_to_upload": Explained(
        "No FASTQ of any sample was made.",
        "All reads are undetermined.",
        "Check the indexes in the sheet, then Convert again.",
    ),
    "unnamed_run": Explained(
        "The run does not say its instrument, number and date, of which its address in S3 is made.",
        "A folder without RunInfo.xml whose name is no run's.",
        "Put RunInfo.xml into the run folder, then Retry.",
    ),
    "refused": Explained(
        "AWS Batch, or the queue, refused the job that follows the upload.",
        "A job definition that does not exist.",
        "Correct SEQAUTO_AFTER_UPLOAD, then Retry.",
    ),
    "no_answer": Explained(
        "The receiver did not answer. Where something was sent, it is not known whether that was taken.",
        "The network failed at that moment.",
        "Retry when it answers. A job is looked up first; where that cannot be, you are asked.",
    ),
    "submitted_or_not": Explained(
        "A job was sent without an answer, and its receiver does not say whether it took it.",
        "A worker that was killed just as it sent a task; a server that was off for three days.",
        "Look whether its results are there. If not, override this: it is sent again, with the same id.",
    ),
}

_WORK = {
    "unexpected": Explained(
        "SeqAuto itself failed at this step. The other runs are not affected.",
        "Something that nobody thought of.",
        "Read the stack trace on the delivery's page, report it, and Retry.",
    ),
    "worker_died": Explained(
        "The worker died at this step several times in a row, so it is not tried again by itself.",
        "The machine runs out of memory.",
        "Look at the machine's own log, then Retry.",
    ),
}

_CLEAN_UP = {
    "changed": Explained(
        "What was to be removed is not what was proven any more. Nothing of it was touched.",
        "A file that was added to the run folder.",
        "Look what changed. Let it go on when that is understood, or withdraw it.",
    ),
    "mounted": Explained(
        "Another disk is mounted inside the folder. It is left alone.",
        "A disk mounted at <run>/Data.",
        "Unmount it (findmnt lists it).",
    ),
    "other_disk": Explained(
        "A part of the folder lies on another disk. It is left alone.",
        "A bind mount.",
        "Unmount it, or look at it and remove it by hand.",
    ),
    "outside": Explained(
        "The folder lies in none of the folders that the settings name. Nothing was touched.",
        "SEQAUTO_BACKUP_DIR was changed since.",
        "Check the settings.",
    ),
    "occupied": Explained(
        "Something else stands where the folder would go.",
        "A run was copied anew while the old one was in quarantine.",
        "Compare the two, move one elsewhere, then let it go on.",
    ),
    "half_removed": Explained(
        "Its removal had begun, so it cannot be put back as it was.",
        "Put back, pressed after the grace period.",
        "Restore the run from its backup: manage.py restore_run.",
    ),
    "gone": Explained(
        "The folder is not where it was.",
        "It was moved by hand.",
        "See whether it was put back, or where it is now.",
    ),
    "not_allowed": Explained(
        "SeqAuto's account may not remove it.",
        "A folder that belongs to the instrument's account.",
        "Give SeqAuto's account leave to write there.",
    ),
}

CODES: dict[str, dict[str, Explained]] = {
    "Sample sheets": _SHEETS,
    "RunInfo.xml and RunParameters.xml": _XML,
    "Run folders and scans": _SCANS,
    "Copies and disks": _BACKUPS,
    "Conversion": _CONVERSIONS,
    "Upload, and what follows it": _UPLOADS,
    "Steps in general": _WORK,
    "Clean-up": _CLEAN_UP,
}
"""By what they are about; a code stands in one of these only."""
