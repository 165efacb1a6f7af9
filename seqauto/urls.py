"""The addresses of SeqAuto's pages."""

from django.urls import path
from django.views.generic import RedirectView

from .views import audit, clean_up, deliveries, messages, runs, scans, storage

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="scans", http_method_names=["get", "head"]), name="home"),
    path("scans/", scans.scans, name="scans"),
    path("scans/live/", scans.scans_live, name="scans_live"),
    path("scans/start/", scans.start_scan, name="start_scan"),
    path("scans/<int:pk>/", scans.scan, name="scan"),
    path("scans/<int:pk>/again/", scans.scan_again, name="scan_again"),
    path("scans/<int:pk>/live/", scans.scan_live, name="scan_live"),
    path("scans/<int:pk>/changes/<slug:kind>/", scans.scan_changes, name="scan_changes"),
    path("scans/<int:pk>/lists/<str:name>", scans.scan_list, name="scan_list"),
    path("runs/", runs.runs, name="runs"),
    path("runs/<int:pk>/", runs.run, name="run"),
    path("runs/<int:pk>/missing.txt", runs.run_missing, name="run_missing"),
    path("runs/<int:pk>/sheet/", runs.run_sheet, name="run_sheet"),
    path("runs/<int:pk>/messages/", runs.run_messages, name="run_messages"),
    path("runs/<int:pk>/history/", runs.run_history, name="run_history"),
    path("runs/<int:pk>/flags/", runs.run_flags, name="run_flags"),
    path("runs/<int:pk>/rescan/", runs.run_rescan, name="run_rescan"),
    path("deliveries/", deliveries.deliveries, name="deliveries"),
    path("deliveries/live/", deliveries.deliveries_live, name="deliveries_live"),
    path("deliveries/<int:pk>/", deliveries.delivery, name="delivery"),
    path("deliveries/<int:pk>/live/", deliveries.delivery_live, name="delivery_live"),
    path("deliveries/<int:pk>/log/<slug:kind>/", deliveries.delivery_log, name="delivery_log"),
    path("deliveries/<int:pk>/manifest/", deliveries.delivery_manifest, name="delivery_manifest"),
    path("deliveries/<int:pk>/retry/", deliveries.delivery_retry, name="delivery_retry"),
    path("deliveries/<int:pk>/override/", deliveries.delivery_override, name="delivery_override"),
    path("deliveries/<int:pk>/hold/", deliveries.delivery_hold, name="delivery_hold"),
    path("deliveries/<int:pk>/release/", deliveries.delivery_release, name="delivery_release"),
    path("deliveries/<int:pk>/deliver-now/", deliveries.delivery_deliver_now, name="delivery_deliver_now"),
    path(
        "deliveries/<int:pk>/convert-again/", deliveries.delivery_convert_again, name="delivery_convert_again"
    ),
    path("clean-up/", clean_up.clean_up, name="clean_up"),
    path("clean-up/hold/", clean_up.clean_up_hold, name="clean_up_hold"),
    path("clean-up/<int:pk>/", clean_up.clean_up_removal, name="clean_up_removal"),
    path("clean-up/<int:pk>/manifest/", clean_up.clean_up_manifest, name="clean_up_manifest"),
    path("clean-up/<int:pk>/propose/", clean_up.clean_up_propose, name="clean_up_propose"),
    path("clean-up/<int:pk>/approve/", clean_up.clean_up_approve, name="clean_up_approve"),
    path("clean-up/<int:pk>/withdraw/", clean_up.clean_up_withdraw, name="clean_up_withdraw"),
    path("clean-up/<int:pk>/go-on/", clean_up.clean_up_go_on, name="clean_up_go_on"),
    path("clean-up/holds/<int:pk>/release/", clean_up.clean_up_release, name="clean_up_release"),
    path("storage/", storage.storage, name="storage"),
    path("messages/", messages.messages, name="messages"),
    path("audit/", audit.audit, name="audit"),
    path("audit/export.csv", audit.audit_export, name="audit_export"),
]
