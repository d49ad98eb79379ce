"""Machines that are not here, as torch would show them: for the tests of `device`, `precision` and `doctor`."""

from types import SimpleNamespace

import pytest
import torch

from amp_helpers import device

NO_KERNEL = "CUDA error: no kernel image is available for execution on the device\nCUDA kernel errors might be ..."


class Machine:
    """Patches torch so that it describes another machine; what the hardware would compute, the CPU computes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.set = monkeypatch.setattr
        self.broken = {}
        self.listed = set()
        ones = torch.ones

        def fake_ones(*shape, device=None, **options):
            name = torch.device(device or "cpu").type
            if name in self.broken:
                raise RuntimeError(self.broken[name])
            return ones(*shape, device=None if name in self.listed else device, **options)

        self.set(torch, "ones", fake_ones)
        self.set(torch.cuda, "is_available", lambda: "cuda" in self.listed)
        self.set(torch.xpu, "is_available", lambda: "xpu" in self.listed)
        self.set(torch.backends.mps, "is_available", lambda: "mps" in self.listed)

    def cuda(self, name: str, capability: tuple[int, int], *, runs: bool = True, gigabytes: float = 16):
        self.listed.add("cuda")
        properties = SimpleNamespace(total_memory=int(gigabytes * 2**30), name=name)
        self.set(torch.cuda, "get_device_capability", lambda device=None: capability)
        self.set(torch.cuda, "get_device_name", lambda device=None: name)
        self.set(torch.cuda, "get_device_properties", lambda device=None: properties)
        self.set(torch.cuda, "get_arch_list", lambda: ["sm_75", "sm_80", "sm_90"])
        # A T4's driver answers True unless it is asked to leave emulation out.
        self.set(
            torch.cuda,
            "is_bf16_supported",
            lambda including_emulation=True: including_emulation or capability >= (8, 0),
        )
        if not runs:
            self.broken["cuda"] = NO_KERNEL
        return self

    def mps(self, macos: int = 15):
        self.listed.add("mps")
        self.set(torch.backends.mps, "is_macos_or_newer", lambda major, minor: macos >= major)
        self.set(torch.mps, "recommended_max_memory", lambda: 12 * 2**30)
        return self

    def xpu(self, bf16: bool = True):
        self.listed.add("xpu")
        self.set(torch.xpu, "get_device_name", lambda device=None: "Intel Arc B580")
        self.set(torch.xpu, "get_device_properties", lambda device=None: SimpleNamespace(total_memory=12 * 2**30))
        self.set(torch.xpu, "is_bf16_supported", lambda including_emulation=True: including_emulation or bf16)
        return self

    def cpu(self, bf16: float, float16: float = 0.02):
        """A CPU whose matrix products are this many times as fast in BF16 and FP16 as in FP32."""
        ratios = {torch.bfloat16: bf16, torch.float16: float16}
        self.set(device, "matmul_speedup", lambda dtype, *rest: ratios[dtype])
        return self
