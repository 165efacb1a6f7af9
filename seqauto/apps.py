from django.apps import AppConfig
from django.db.models.signals import post_migrate


class SeqAutoConfig(AppConfig):
    name = "seqauto"
    verbose_name = "SeqAuto"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from .roles import make_roles

        post_migrate.connect(make_roles, sender=self)
        from . import checks  # noqa: F401  registers the system checks
        from .tasks import hand_over  # noqa: F401  steps can send tasks, and know no Celery
