"""Models of instrument, as far as the run folders that they write differ."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Instrument:
    """A model of instrument: what differs between the run folders it writes (see docs/formats.md)."""

    model: str
    serial: str
    lanes: int
    markers: tuple[str, ...]
    parameters_name: str
    serial_tag: str
    software: str
    run_info_date: str
    name_date: str = "%y%m%d"
    number_width: int = 4
    position: str = ""
    flowcell: str = "{tail}"
    split_lanes: bool = True
    sheet_lanes: bool = False


_RTA = "RTAComplete.txt"
_COPY = "CopyComplete.txt"
_STATUS = "RunCompletionStatus.xml"
_SHORT_DATE = "%y%m%d"
_US_DATE = "%-m/%-d/%Y %-I:%M:%S %p"
_ISO_DATE = "%Y-%m-%dT%H:%M:%SZ"

INSTRUMENTS = {
    instrument.model: instrument
    for instrument in (
        Instrument("MiSeq", "M00879", 1, (_RTA, _COPY), "runParameters.xml", "ScannerID",
                   "MiSeq Control Software", _SHORT_DATE, flowcell="000000000-{tail:.5}"),
        Instrument("MiniSeq", "MN00123", 1, (_RTA, _COPY, _STATUS), "RunParameters.xml", "InstrumentID",
                   "MiniSeq Control Software", _SHORT_DATE, position="A", flowcell="000H{tail:.5}"),
        Instrument("NextSeq 500", "NB501009", 4, (_RTA, _COPY, _STATUS), "RunParameters.xml", "InstrumentID",
                   "NextSeq Control Software", _SHORT_DATE, position="A", flowcell="H{tail:.4}BGXK"),
        Instrument("NextSeq 2000", "VH00203", 2, (_RTA, _COPY, _STATUS), "RunParameters.xml",
                   "InstrumentSerialNumber", "NextSeq 1000/2000 Control Software", _ISO_DATE,
                   number_width=1, flowcell="AAC{tail:.4}M5", split_lanes=False),
        Instrument("iSeq 100", "FS10001773", 1, (_RTA, _COPY), "RunParameters.xml", "InstrumentId",
                   "iSeq Control Software", _ISO_DATE, name_date="%Y%m%d", number_width=1,
                   flowcell="BSE{number:05d}-1017"),
        Instrument("HiSeq 2500", "D00535", 2, (_RTA, "Basecalling_Netcopy_complete.txt"), "runParameters.xml",
                   "ScannerID", "HiSeq Control Software", _SHORT_DATE, position="B",
                   flowcell="H{tail:.4}BCXX", sheet_lanes=True),
        Instrument("HiSeq 4000", "K00210", 8, (_RTA, "SequencingComplete.txt"), "runParameters.xml",
                   "ScannerID", "HiSeq Control Software", _SHORT_DATE, position="A",
                   flowcell="H{tail:.4}BBXY", sheet_lanes=True),
        Instrument("NovaSeq 6000", "A01934", 2, (_RTA, _COPY, "SequenceComplete.txt"), "RunParameters.xml",
                   "InstrumentName", "NovaSeq Control Software", _US_DATE, position="B",
                   flowcell="H{tail:.4}DRX2", sheet_lanes=True),
        Instrument("NovaSeq X", "LH00217", 2, (_RTA, _COPY, _STATUS), "RunParameters.xml",
                   "InstrumentSerialNumber", "NovaSeqXSeries Control Software", _ISO_DATE,
                   name_date="%Y%m%d", position="A", flowcell="22{tail:.4}LT3", sheet_lanes=True),
    )
}  # fmt: skip
