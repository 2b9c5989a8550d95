"""Traces, if somebody wants them: OpenTelemetry spans of requests, commands and their writes.

Without `chorus serve --otel` nothing of OpenTelemetry is loaded and a span costs a function call.
A command's trace shows where it waited: `command …` > `write` > `queued`, `run`, `commit` (shared
by all writes of the group) and `publish`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Any

_NO_SPAN = contextlib.nullcontext()


class Tracing:
    """`tracer`: OpenTelemetry's; None: no traces."""

    def __init__(self, tracer: Any = None) -> None:
        self._tracer = tracer

    @property
    def on(self) -> bool:
        return self._tracer is not None

    def span(
        self, name: str, attributes: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> contextlib.AbstractContextManager[Any]:
        """Around a piece of work. headers: of a request that may belong to a caller's trace (W3C
        Trace Context). Yields the span; None: no traces."""
        return _NO_SPAN if self._tracer is None else self._span(name, attributes, headers)

    @contextlib.contextmanager
    def _span(
        self, name: str, attributes: Mapping[str, Any], headers: Mapping[str, str] | None
    ) -> Iterator[Any]:
        parent = None
        if headers is not None:
            from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

            parent = TraceContextTextMapPropagator().extract(dict(headers))
        with self._tracer.start_as_current_span(
            name, context=parent, attributes=dict(attributes)
        ) as span:
            yield span

    def here(self) -> Any:
        """What a span that is made later, elsewhere, belongs to; None: nothing that is traced."""
        if self._tracer is None:
            return None
        from opentelemetry import context, trace

        return context.get_current() if trace.get_current_span().is_recording() else None

    def past(self, name: str, parent: Any, times: tuple[int, int], **attributes: Any) -> Any:
        """Note a span that is over. times: by perf_counter_ns. Returns what belongs below it."""
        from opentelemetry import trace

        since = time.time_ns() - time.perf_counter_ns()
        span = self._tracer.start_span(
            name, context=parent, start_time=times[0] + since, attributes=attributes
        )
        span.end(times[1] + since)
        return trace.set_span_in_context(span, parent)


OFF = Tracing()


def exporting(version: str) -> Tracing:
    """Traces to where OpenTelemetry's own variables say (OTEL_EXPORTER_OTLP_ENDPOINT,
    OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER …), by OTLP over HTTP. Needs the extra "otel"."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    ours = Resource.create({"service.name": "chorus", "service.version": version})
    provider = TracerProvider(resource=ours.merge(OTELResourceDetector().detect()))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider.get_tracer("chorus", version))
