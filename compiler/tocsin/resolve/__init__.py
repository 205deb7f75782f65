"""Parameters, levels, overrides and evaluators settled: authored rules become compiled ones, one service and environment at a time."""

from tocsin.resolve.idle import alert_uses as alert_uses
from tocsin.resolve.idle import file_uses as file_uses
from tocsin.resolve.idle import override_findings as override_findings
from tocsin.resolve.idle import rule_uses as rule_uses
from tocsin.resolve.records import RecordFacts as RecordFacts
from tocsin.resolve.records import Records as Records
from tocsin.resolve.service import record_facts as record_facts
from tocsin.resolve.service import records_of as records_of
from tocsin.resolve.service import resolve_service as resolve_service
from tocsin.resolve.settings import alert_origins as alert_origins
