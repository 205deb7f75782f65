"""What is wrong, and where: spans, origins, diagnostics and the table of codes."""

from tocsin.diag.codes import CODES as CODES
from tocsin.diag.diagnostic import Diagnostic as Diagnostic
from tocsin.diag.diagnostic import Related as Related
from tocsin.diag.diagnostic import Severity as Severity
from tocsin.diag.diagnostic import diagnostic as diagnostic
from tocsin.diag.diagnostic import ordered as ordered
from tocsin.diag.diagnostic import with_severity as with_severity
from tocsin.diag.origin import Map as Map
from tocsin.diag.origin import Origin as Origin
from tocsin.diag.origin import Seq as Seq
from tocsin.diag.source_file import SourceFile as SourceFile
from tocsin.diag.span import Span as Span
