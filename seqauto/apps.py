from django.apps import AppConfig


class SeqAutoConfig(AppConfig):
    name = "seqauto"
    verbose_name = "SeqAuto"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks  # noqa: F401  registers the system checks
        from .tasks import hand_over  # noqa: F401  steps can send tasks, and know no Celery
