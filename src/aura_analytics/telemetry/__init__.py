"""Traces, told to whoever listens by OpenTelemetry's protocol. The only room that knows OpenTelemetry."""
