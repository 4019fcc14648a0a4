"""What an account lets run at a time, beside what the parameters ask for; new accounts start with no GPU at all."""

from collections.abc import Callable, Iterator, Mapping

QUOTAS = {
    "L-3819A6DF": ("All G and VT Spot Instance Requests", "GpuSpotMaxVcpus"),
    "L-DB2E81BA": ("Running On-Demand G and VT instances", "GpuOnDemandMaxVcpus"),
    "L-34B43A08": ("All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests", "CpuSpotMaxVcpus"),
    "L-1216C47A": ("Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances", "CpuOnDemandMaxVcpus"),
}
"""EC2's quotas by their code: name, and the parameter of ``batch`` that must fit in; both count vCPUs."""


def shortages(quota_of: Callable[[str], float], values: Mapping[str, str]) -> Iterator[str]:
    """A line on each quota (vCPUs, by its code, from ``quota_of``) that is smaller than its parameter."""
    for code, (name, parameter) in QUOTAS.items():
        has, wanted = quota_of(code), int(values[parameter])
        if has < wanted:
            request = f"aws service-quotas request-service-quota-increase --service-code ec2 --quota-code {code}"
            yield (
                f"quota {code} ({name}) is {has:.0f} vCPUs, and {parameter} is {wanted}: ask for more by"
                f" '{request} --desired-value {wanted}'"
            )
