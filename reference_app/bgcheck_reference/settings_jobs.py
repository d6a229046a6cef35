"""Settings of the work that survives its process, and of the progress stream."""

from pydantic import Field
from pydantic_settings import BaseSettings


class JobSettings(BaseSettings):
    """How often work is tried, how long an attempt may take, and how often others look."""

    job_attempts: int = Field(
        default=5,
        ge=1,
        le=100,
        description="How often a job, or any work that a killed process left, is begun.",
    )
    job_retry_delay: float = Field(
        default=1.0,
        ge=0,
        description="Seconds before the second attempt; doubled for each further.",
    )
    job_retry_delay_max: float = Field(
        default=300.0, ge=0, description="Longest pause between two attempts."
    )
    job_attempt_seconds: float = Field(
        default=30.0,
        gt=0,
        description="Seconds that an attempt may take before it counts as failed.",
    )
    job_sweep_seconds: float = Field(
        default=10.0, gt=0, description="Seconds between two looks for work that nobody is at."
    )
    claim_seconds: float = Field(
        default=120.0,
        gt=0,
        description="Seconds for which work belongs to whoever began it, or last noted progress.",
    )
    grace_seconds: float | None = Field(
        default=None,
        ge=0,
        description="Seconds after which work is begun by another than the one who was told of it "
        "first; 30 if not given, and 900 with a queue.",
    )
    progress_poll_seconds: float = Field(
        default=0.5, gt=0, description="Seconds between two looks of a stream at its run."
    )
