"""The admin. What scans own can be looked at here but not changed; people own flags, names and models."""

from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from .filters.samples import by_path, samples_named
from .models import (
    AuditEntry,
    Delivery,
    DeliveryEvent,
    DeliveryStep,
    DiskReading,
    Experiment,
    Hold,
    IncomingFolder,
    Message,
    Proof,
    Proving,
    Removal,
    SampleSheet,
    Scan,
    ScanLease,
    ScanRoot,
    Sequencer,
    SequencingFile,
    SequencingRun,
    SequencingSample,
    Submission,
)
from .tables import FLAGS
from .templatetags import looks


class OwnedByScans(admin.ModelAdmin):
    """Read only: the next scan would write it again."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class Counted(Paginator):
    """Counts no further than people turn pages: a million rows take a database too long."""

    object_list: QuerySet[Any]

    @cached_property
    def count(self) -> int:
        return self.object_list.order_by()[: self.per_page * 200].count()


class OneOfManyAdmin(OwnedByScans):
    """Rows that nobody can sort or count while a person waits; found as the lists of the site find them."""

    ordering = ["-pk"]
    sortable_by = ()
    paginator = Counted


@admin.register(Sequencer)
class SequencerAdmin(admin.ModelAdmin):
    list_display = ["serial", "model"]
    list_filter = ["model"]
    search_fields = ["serial", "model"]
    readonly_fields = ["serial"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


@admin.register(Experiment)
class ExperimentAdmin(OwnedByScans):
    list_display = ["name"]
    search_fields = ["name"]


@admin.register(SequencingRun)
class SequencingRunAdmin(admin.ModelAdmin):
    list_display = ["name", "experiment", "sequencer", "date", "group", "state", *FLAGS]
    list_filter = ["state", *FLAGS, "sequencer__model"]
    list_select_related = ["experiment", "sequencer"]
    search_fields = ["name", "flowcell", "experiment__name"]
    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        return [field.name for field in SequencingRun._meta.fields if field.name not in FLAGS]

    def save_model(self, request: HttpRequest, obj: SequencingRun, form: object, change: bool) -> None:
        # Only the flags: a scan may write the run's other fields at this moment.
        obj.save(update_fields=[*FLAGS, "updated_at"])


@admin.register(SampleSheet)
class SampleSheetAdmin(OneOfManyAdmin):
    list_display = ["run", "version", "is_current", "format", "sample_count", "seen_at"]
    list_filter = ["is_current", "format"]
    list_select_related = ["run"]
    search_fields = ["run__name"]
    exclude = ["content"]
    readonly_fields = ["as_read"]

    @admin.display(description="content")
    def as_read(self, sheet: SampleSheet) -> str:
        return looks.printable_lines(sheet.text[:20_000])

    def get_queryset(self, request: HttpRequest) -> QuerySet[SampleSheet]:
        return super().get_queryset(request).defer("content")


@admin.register(SequencingSample)
class SequencingSampleAdmin(OneOfManyAdmin):
    list_display = ["sample_id", "project", "run", "number", "lanes", "is_control", "is_failed"]
    list_filter = ["is_control", "is_failed"]
    list_select_related = ["run"]
    search_fields = ["sample_id"]
    search_help_text = "How the sample's ID or name begins"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[SequencingSample], search_term: str
    ) -> tuple[QuerySet[SequencingSample], bool]:
        return (queryset.filter(samples_named(search_term)) if search_term else queryset), False


@admin.register(SequencingFile)
class SequencingFileAdmin(OneOfManyAdmin):
    list_display = ["path", "run", "file_type", "data_state", "is_expected", "lane", "read", "size"]
    list_filter = ["data_state"]
    list_select_related = ["run"]
    search_fields = ["path"]
    search_help_text = "How the sample's ID or name begins, or how a path in full begins"
    raw_id_fields = ["run", "sample"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[SequencingFile], search_term: str
    ) -> tuple[QuerySet[SequencingFile], bool]:
        if search_term.startswith("/"):
            return queryset.filter(by_path(search_term)), False
        samples = SequencingSample.objects.order_by().filter(samples_named(search_term)).values("pk")
        return (queryset.filter(sample__in=samples) if search_term else queryset), False


@admin.register(Scan)
class ScanAdmin(OwnedByScans):
    list_display = ["id", "status", "source", "started_by", "created_at", "finished_at", "error_at", "error"]
    list_filter = ["status", "source"]
    list_select_related = ["started_by"]
    search_fields = ["task_id", "error"]


@admin.register(ScanLease)
class ScanLeaseAdmin(OwnedByScans):
    list_display = ["__str__", "scan", "expires_at"]


@admin.register(ScanRoot)
class ScanRootAdmin(OwnedByScans):
    list_display = ["path", "device", "has_sentinel", "scanned_at"]


@admin.register(Message)
class MessageAdmin(OneOfManyAdmin):
    list_display = ["text", "severity", "code", "run", "scan", "opened_at", "closed_at"]
    list_filter = ["severity", "code", ("closed_at", admin.EmptyFieldListFilter)]
    list_select_related = ["run", "scan"]
    search_fields = ["code"]


class ReadOnlyInline(admin.TabularInline):
    """Rows that belong to a delivery: its own page tells them better; here they can be looked up."""

    extra = 0
    show_change_link = False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class StepInline(ReadOnlyInline):
    model = DeliveryStep
    fields = ["place", "kind", "state", "attempts", "started_at", "ended_at", "worker", "error"]


class EventInline(ReadOnlyInline):
    model = DeliveryEvent
    fields = ["at", "user_name", "step", "text", "reason"]


class OwnedByDeliveries(OwnedByScans):
    """Read only; a superuser may let SeqAuto forget a row, and thereby find its folder anew."""

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return bool(request.user.is_active and getattr(request.user, "is_superuser", False))


@admin.register(Delivery)
class DeliveryAdmin(OwnedByDeliveries):
    list_display = ["name", "state", "instrument", "run_number", "flowcell", "found_at", "delivered_at"]
    list_filter = ["state", "model", "is_held"]
    search_fields = ["name", "instrument", "flowcell"]
    inlines = [StepInline, EventInline]


@admin.register(IncomingFolder)
class IncomingFolderAdmin(OwnedByDeliveries):
    list_display = ["path", "looked_at", "error"]


@admin.register(Submission)
class SubmissionAdmin(OwnedByScans):
    list_display = ["project", "delivery", "conversion", "kind", "submitted_at", "receipt"]
    list_filter = ["kind", "project"]
    list_select_related = ["delivery"]
    search_fields = ["delivery__name", "receipt"]


@admin.register(Hold)
class HoldAdmin(OwnedByScans):
    """Read only: people hold and release on the page Safe to delete, which tells the audit."""

    list_display = ["delivery", "user_name", "reason", "until", "created_at", "released_at"]
    list_select_related = ["delivery"]
    search_fields = ["delivery__name"]


@admin.register(Proof)
class ProofAdmin(OwnedByScans):
    list_display = ["delivery", "what", "is_good", "bytes", "at"]
    list_filter = ["what", "is_good"]
    list_select_related = ["delivery"]
    search_fields = ["delivery__name"]


@admin.register(Proving)
class ProvingAdmin(OwnedByScans):
    list_display = ["__str__", "worker", "started_at", "done", "total"]
    list_select_related = ["delivery"]


@admin.register(Removal)
class RemovalAdmin(OwnedByScans):
    """Read only: certificates are kept for ever. Their manifests are downloaded from their pages."""

    list_display = ["delivery", "target", "state", "bytes", "proposed_by", "proposed_at", "ended_at"]
    list_filter = ["state", "target"]
    list_select_related = ["delivery"]
    search_fields = ["delivery__name"]
    exclude = ["manifest"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Removal]:
        return super().get_queryset(request).defer("manifest")


@admin.register(DiskReading)
class DiskReadingAdmin(OwnedByScans):
    list_display = ["path", "at", "free", "total"]
    list_filter = ["path"]


@admin.register(AuditEntry)
class AuditEntryAdmin(OwnedByScans):
    """Read only: the audit is only added to. Its page, with filters and an export, is Sequencing → Audit."""

    list_display = ["at", "who", "action", "kind", "name"]
    list_filter = ["is_person", "action", "kind"]
    search_fields = ["name"]
    paginator = Counted
